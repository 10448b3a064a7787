"""Read images from files and preprocess them for a network."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import isqrt, prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.artifacts import Model, raw_shape
from components.base.errors import DataError
from components.inference.preprocessing.input_files import READABLE_INPUTS, UnreadableError, file_format
from components.inference.preprocessing.normalize import MAX_SIDE_PIXELS, is_bright_on_dark, normalize
from components.inference.preprocessing.resize import resize_color, resize_grayscale
from components.io.csv_images import CsvImages
from components.io.csv_layout import LABEL_COLUMN, CsvLayout, detect_layout
from components.io.idx import IMAGES, open_idx
from components.io.pictures import read_picture

CHUNK_BYTES = 1_048_576
"""Bytes of images read together from an IDX file."""

Preprocessor = Callable[[NDArray[np.uint8], int, int], NDArray[np.uint8]]
"""Turns an image, [height, width] or [height, width, 3], into a raw image of the given height and width.

`normalize`, `resize_grayscale` and `resize_color` are preprocessors. A preprocessor raises DataError if the image shows
nothing."""


@dataclass(frozen=True)
class InputImage:
    """One image of an input file, before and after preprocessing."""

    path: Path
    row: int | None
    """Index in a file of several images; None for a picture."""
    original: NDArray[np.uint8]
    """The upright image of the file: [height, width] or [height, width, 3]; large pictures are reduced."""
    network_input: NDArray[np.uint8]
    """The preprocessed image: [height, width] or, for a model of color images, [height, width, 3]."""
    has_more_frames: bool = False
    """Whether the picture has further frames, which are not read."""


@dataclass(frozen=True)
class InputReader:
    """Reads image files and preprocesses the images.

    Grayscale images of the network's size that are bright on dark are not changed.
    """

    height: int
    width: int
    preprocess: Preprocessor
    channels: int = 1
    """Of the network's input."""
    transpose: bool = False
    """Whether IDX and CSV files store images column by column."""

    @classmethod
    def for_model(cls, model: Model, *, as_is: bool = False, transpose: bool = False) -> "InputReader":
        """Return the reader for a model; `as_is` only converts and resizes images, as for `image_folder`."""
        height, width, channels = model.image_shape
        preprocess = resize_color if channels == 3 else resize_grayscale if as_is else normalize
        return cls(height, width, preprocess, channels, transpose)

    def read(self, path: Path, first: int = 0) -> Iterator[InputImage | UnreadableError]:
        """Yield the images of a file from the index `first` on, with an error in place of each that shows nothing.

        Raises:
            DataError: if the file is missing, broken, or has an unsupported format; images yielded before are valid.
        """
        readers = {"picture": self._read_picture, "idx": self._read_idx, "csv": self._read_csv}
        yield from readers[file_format(path)](path, first)

    def _read_picture(self, path: Path, first: int) -> Iterator[InputImage | UnreadableError]:
        if first:
            return
        max_side = max(2 * MAX_SIDE_PIXELS, self.height, self.width)
        read = read_picture(path, min_side=max_side)
        picture = read.image
        if picture.size == (self.width, self.height) and self.channels == 1:
            gray = np.asarray(picture.convert("L"))
            if is_bright_on_dark(gray[None])[0]:
                yield InputImage(path, None, gray, gray, read.has_more_frames)
                return
        picture.thumbnail((max_side, max_side), Image.Resampling.BOX)
        image = self._preprocess(path, None, np.asarray(picture))
        yield image if isinstance(image, UnreadableError) else replace(image, has_more_frames=read.has_more_frames)

    def _read_idx(self, path: Path, first: int) -> Iterator[InputImage | UnreadableError]:
        with open_idx(path, dimensions=IMAGES) as idx:
            idx.check_size()
            shape = idx.shape[1:]
            size = prod(shape)
            if size > 2**26:  # a header that states larger images is damaged
                raise DataError(f"{path} states images of {shape[0]}x{shape[1]} pixels", expected=READABLE_INPUTS)
            row = 0
            for block in idx.blocks(max(1, CHUNK_BYTES // size) * size):
                count = len(block) // size  # a truncated file raises after its last block
                images = np.frombuffer(block, np.uint8, count * size).reshape(count, *shape)
                yield from self._preprocess_rows(path, row, images, first)
                row += count

    def _read_csv(self, path: Path, first: int) -> Iterator[InputImage | UnreadableError]:
        layout = detect_layout(path)
        csv_images = CsvImages(layout, self._find_label(layout))
        shape = self._csv_shape(path, csv_images.pixels)
        row = 0
        try:
            for pixels, _ in csv_images.batches():
                yield from self._preprocess_rows(path, row, pixels.reshape(-1, *shape), first)
                row += len(pixels)
        except DataError as error:
            if not row:
                raise
            headline = f"{error.headline}; the images from row {row} on are skipped"
            raise DataError(headline, expected=error.expected, remedy=error.remedy) from error

    def _find_label(self, layout: CsvLayout) -> int | None:
        """Return the index of the column of labels; None if all columns are pixels, by their number."""
        columns = len(layout.columns)
        model = raw_shape((self.height, self.width, self.channels))
        has_label = self._csv_shapes(columns - 1)[:1] == [model]
        return layout.guess_label() if has_label or not self._csv_shapes(columns) else None

    def _csv_shapes(self, columns: int) -> list[tuple[int, ...]]:
        """Return the shapes of images that a number of columns makes, with that of the model's images first."""
        side = isqrt(columns // self.channels)
        other = 1 if self.channels == 3 else 3
        model, square = (self.height, self.width), (side, side)
        sizes = ((*model, self.channels), (*square, self.channels), (*model, other))
        return [raw_shape(size) for size in sizes if prod(size) == columns > 0]

    def _csv_shape(self, path: Path, columns: int) -> tuple[int, ...]:
        if shapes := self._csv_shapes(columns):
            return shapes[0]
        raise DataError(
            f"{path} has {columns} pixel columns, which do not make square images",
            expected=f"{self.height * self.width * self.channels} columns, as the model's images have, or those of "
            f"another square, and at most one more column named `{LABEL_COLUMN}`",
            remedy="remove columns that are not pixels",
        )

    def _preprocess_rows(
        self, path: Path, row: int, images: NDArray[np.uint8], first: int
    ) -> Iterator[InputImage | UnreadableError]:
        """Yield images whose indices begin with `row`, from the index `first` on."""
        row, images = max(row, first), images[max(0, first - row) :]
        if not len(images):
            return
        if self.transpose:
            images = images.swapaxes(1, 2)
        unchanged = np.zeros(len(images), dtype=bool)
        if self.channels == 1 and images.shape[1:] == (self.height, self.width):
            unchanged = is_bright_on_dark(images)
        for index, (image, keep) in enumerate(zip(images, unchanged, strict=True), start=row):
            yield InputImage(path, index, image, image) if keep else self._preprocess(path, index, image)

    def _preprocess(self, path: Path, row: int | None, original: NDArray[np.uint8]) -> InputImage | UnreadableError:
        try:
            return InputImage(path, row, original, self.preprocess(original, self.height, self.width))
        except DataError as error:
            return UnreadableError.of_image(error, path, row)
