"""Read images from files and preprocess them for a network."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import isqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.base.errors import DataError
from components.inference.preprocessing.input_files import READABLE_INPUTS, file_format
from components.inference.preprocessing.normalize import MAX_SIDE_PIXELS, is_bright_on_dark
from components.io.csv_images import CsvImages
from components.io.csv_layout import LABEL_COLUMN, CsvLayout, detect_layout
from components.io.idx import open_idx
from components.io.pictures import read_picture

CHUNK_BYTES = 1_048_576
"""Bytes of images read together from an IDX file."""

Preprocessor = Callable[[NDArray[np.uint8], int, int], NDArray[np.uint8]]
"""Turns an image, [height, width] or [height, width, 3], into the network's input of the given height and width.

`normalize` and `resize_only` are preprocessors. A preprocessor raises DataError if the image shows nothing."""


@dataclass(frozen=True)
class InputImage:
    """One image of an input file, before and after preprocessing."""

    path: Path
    row: int | None
    """Index in a file of several images; None for a picture."""
    original: NDArray[np.uint8]
    """The upright image of the file: [height, width] or [height, width, 3]; large pictures are reduced."""
    network_input: NDArray[np.uint8]
    """The preprocessed image: [height, width]."""
    has_more_frames: bool = False
    """Whether the picture has further frames, which are not read."""


@dataclass(frozen=True)
class InputReader:
    """Reads image files and preprocesses the images, except those of the network's size that are bright on dark."""

    height: int
    width: int
    preprocess: Preprocessor
    transpose: bool = False
    """Whether IDX and CSV files store images column by column."""

    def read(self, path: Path) -> Iterator[InputImage | DataError]:
        """Yield the images of a file, with a DataError in place of each image that shows nothing.

        Raises:
            DataError: if the file is missing, broken, or has an unsupported format; images yielded before are valid.
        """
        readers = {"picture": self._read_picture, "idx": self._read_idx, "csv": self._read_csv}
        yield from readers[file_format(path)](path)

    def _read_picture(self, path: Path) -> Iterator[InputImage | DataError]:
        max_side = max(2 * MAX_SIDE_PIXELS, self.height, self.width)
        read = read_picture(path, min_side=max_side)
        picture = read.image
        if picture.size == (self.width, self.height):
            gray = np.asarray(picture.convert("L"))
            if is_bright_on_dark(gray[None])[0]:
                yield InputImage(path, None, gray, gray, read.has_more_frames)
                return
        picture.thumbnail((max_side, max_side), Image.Resampling.BOX)
        image = self._preprocess(path, None, np.asarray(picture))
        yield image if isinstance(image, DataError) else replace(image, has_more_frames=read.has_more_frames)

    def _read_idx(self, path: Path) -> Iterator[InputImage | DataError]:
        with open_idx(path, dimensions=3) as idx:
            idx.check_size()
            _, height, width = idx.shape
            pixels = height * width
            if pixels > 2**26:  # a header that states larger images is damaged
                raise DataError(f"{path} states images of {height}x{width} pixels", expected=READABLE_INPUTS)
            row = 0
            for block in idx.blocks(max(1, CHUNK_BYTES // pixels) * pixels):
                count = len(block) // pixels  # a truncated file raises after its last block
                images = np.frombuffer(block, np.uint8, count * pixels).reshape(count, height, width)
                yield from self._preprocess_rows(path, row, images)
                row += count

    def _read_csv(self, path: Path) -> Iterator[InputImage | DataError]:
        layout = detect_layout(path)
        csv_images = CsvImages(layout, self._find_label(layout))
        height, width = self._csv_shape(path, csv_images.pixels)
        row = 0
        try:
            for pixels, _ in csv_images.batches():
                yield from self._preprocess_rows(path, row, pixels.reshape(-1, height, width))
                row += len(pixels)
        except DataError as error:
            if not row:
                raise
            headline = f"{error.headline}; the images from row {row} on are skipped"
            raise DataError(headline, expected=error.expected, remedy=error.remedy) from error

    def _find_label(self, layout: CsvLayout) -> int | None:
        """Return the index of the column of labels; None if all columns are pixels, by their number."""
        columns = len(layout.columns)
        if columns == self.height * self.width or isqrt(columns) ** 2 == columns:
            return None
        return layout.guess_label()

    def _csv_shape(self, path: Path, pixels: int) -> tuple[int, int]:
        if pixels == self.height * self.width:
            return self.height, self.width
        side = isqrt(pixels)
        if side**2 != pixels or not pixels:
            raise DataError(
                f"{path} has {pixels} pixel columns, which do not make square images",
                expected=f"{self.height * self.width} columns, as the model's images have, or another square number, "
                f"and at most one more column named `{LABEL_COLUMN}`",
                remedy="remove columns that are not pixels",
            )
        return side, side

    def _preprocess_rows(
        self, path: Path, first_row: int, images: NDArray[np.uint8]
    ) -> Iterator[InputImage | DataError]:
        if not len(images):
            return
        if self.transpose:
            images = images.transpose(0, 2, 1)
        unchanged = np.zeros(len(images), dtype=bool)
        if images.shape[1:] == (self.height, self.width):
            unchanged = is_bright_on_dark(images)
        for row, (image, keep) in enumerate(zip(images, unchanged, strict=True), start=first_row):
            yield InputImage(path, row, image, image) if keep else self._preprocess(path, row, image)

    def _preprocess(self, path: Path, row: int | None, original: NDArray[np.uint8]) -> InputImage | DataError:
        try:
            return InputImage(path, row, original, self.preprocess(original, self.height, self.width))
        except DataError as error:
            where = path if row is None else f"{path}, row {row},"
            return DataError(f"{where} shows no digit: {error.headline}", expected=error.expected, remedy=error.remedy)
