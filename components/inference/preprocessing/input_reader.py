"""What a user names, read one image after the other: what was given, and what the network is to see of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from components.base.errors import DataError
from components.example_gen.sources.csv import LABEL, pixels_of, read_batches, read_header, refuse_hexadecimal
from components.example_gen.sources.idx import opened
from components.inference.preprocessing.files import KINDS, kind_of
from components.inference.preprocessing.normalize import LARGEST, is_conventional
from components.io.files import reading
from components.io.pictures import read_picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

CHUNK = 1_048_576
"""Bytes of images of an IDX file that are read together."""
MOST_PIXELS = 2**26
"""Of an image: a header that says more is no image's."""

Preprocessor = Callable[["NDArray[np.uint8]", int, int], "NDArray[np.uint8]"]
"""Makes of an image, [height, width] or [height, width, 3], what a network for images of a height and width is to see;
raises DataError if there is nothing to see. `normalize` is one, `resized` another."""


@dataclass(frozen=True)
class InputImage:
    """One image, ready to be read."""

    path: Path
    row: int | None
    """From 0, where the file holds many images."""
    given: NDArray[np.uint8]
    """What the file holds, upright: [height, width] or [height, width, 3]; a large picture made smaller."""
    seen: NDArray[np.uint8]
    """What the network is to see: [height, width]."""


@dataclass(frozen=True)
class InputReader:
    """Looks at images for a network.

    Attributes:
        height: of the network's images, in pixels.
        width: likewise.
        view: makes of any other image one of the network's; those that are of its size and bright on dark already
            are left as they are.
    """

    height: int
    width: int
    view: Preprocessor

    def look(self, path: Path) -> Iterator[InputImage | DataError]:
        """Yield the images of a file, and in its place an error for each in which there is nothing to see.

        Raises:
            DataError: if the file is missing, broken, or of no kind that is known; what it yielded before stands.
        """
        match kind_of(path):
            case "picture":
                yield from self._picture(path)
            case "idx":
                yield from self._idx(path)
            case "csv":
                yield from self._csv(path)

    def _picture(self, path: Path) -> Iterator[InputImage | DataError]:
        enough = max(2 * LARGEST, self.height, self.width)
        picture = read_picture(path, enough=enough)
        if picture.size == (self.width, self.height):
            grey = np.asarray(picture.convert("L"))
            if is_conventional(grey[None])[0]:
                yield InputImage(path, None, grey, grey)
                return
        picture.thumbnail((enough, enough), Image.Resampling.BOX)
        yield self._view(path, None, np.asarray(picture))

    def _idx(self, path: Path) -> Iterator[InputImage | DataError]:
        with opened(path, dimensions=3) as idx:
            idx.check_header()
            _, height, width = idx.shape
            pixels = height * width
            if pixels > MOST_PIXELS:
                raise DataError(f"{path} says that its images are of {height}x{width} pixels", expected=KINDS)
            row = 0
            for block in idx.blocks(max(1, CHUNK // pixels) * pixels):
                whole = len(block) // pixels  # a file that was cut short is told at its end
                images = np.frombuffer(block, np.uint8, whole * pixels).reshape(whole, height, width)
                yield from self._many(path, row, images)
                row += whole

    def _csv(self, path: Path) -> Iterator[InputImage | DataError]:
        with reading(path, "a CSV file"):
            columns = read_header(path, needs=None)
        height, width = self._csv_shape(path, len([name for name in columns if name != LABEL]))
        refuse_hexadecimal(path, columns)
        row = 0
        try:
            for batch in read_batches(path, columns):
                yield from self._many(path, row, pixels_of(batch, columns).reshape(-1, height, width))
                row += len(batch)
        except DataError as error:
            raise DataError(
                f"{error.headline}; no image from row {row} on is answered",
                expected=error.expected,
                remedy=error.remedy,
            ) from error
        if not row:
            raise DataError(f"{path} has a header but no rows", expected="a row an image", remedy="add images to it")

    def _csv_shape(self, path: Path, pixels: int) -> tuple[int, int]:
        if pixels == self.height * self.width:
            return self.height, self.width
        side = isqrt(pixels)
        if side**2 != pixels or not pixels:
            raise DataError(
                f"{path} has {pixels} pixel columns, which is not what square images need",
                expected=f"{self.height * self.width} columns, as the model's images have, or another square number, "
                f"and at most one beside them that is named `{LABEL}`",
                remedy="take the column away that is no pixel",
            )
        return side, side

    def _many(self, path: Path, first: int, images: NDArray[np.uint8]) -> Iterator[InputImage | DataError]:
        if not len(images):
            return
        as_they_are = np.zeros(len(images), dtype=bool)
        if images.shape[1:] == (self.height, self.width):
            as_they_are = is_conventional(images)
        for row, (image, left) in enumerate(zip(images, as_they_are, strict=True), start=first):
            yield InputImage(path, row, image, image) if left else self._view(path, row, image)

    def _view(self, path: Path, row: int | None, given: NDArray[np.uint8]) -> InputImage | DataError:
        try:
            return InputImage(path, row, given, self.view(given, self.height, self.width))
        except DataError as error:
            where = path if row is None else f"{path}, row {row},"
            return DataError(f"{where} shows no digit: {error.headline}", expected=error.expected, remedy=error.remedy)
