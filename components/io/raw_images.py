"""Raw images in a file: written by a source, read in order and in chunks.

Chunks are read with ordinary reads. The pages of a memory map would count as memory of the process until the system
needs them for something else.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import SEEK_END
from pathlib import Path
from typing import BinaryIO, Literal, Self

import numpy as np
from numpy.typing import NDArray

from components.artifacts import raw_shape
from components.base.errors import DataError
from components.io.conversion import UNCHANGED, Channels, Conversion, gray_levels, has_color, repeat_gray
from components.io.files import open_regular
from components.runtime.disk import disk_space_guard

CHUNK_BYTES = 6_422_528
"""Bytes of images per chunk: 8192 images of 28x28."""


@dataclass(frozen=True)
class RawImages:
    """Images in a file, one after the other, one byte per pixel and channel."""

    path: Path
    offset: int
    """Bytes before the first image."""
    count: int
    height: int
    width: int
    channels: int = 1
    """1 for grayscale, or 3 for the red, green and blue of each pixel."""
    column_major: bool = False
    """Whether each image is stored column by column instead of row by row."""
    chunk_bytes: int = CHUNK_BYTES
    conversion: Conversion = UNCHANGED
    """What was changed in the images of the source."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image: height and width, and for color 3."""
        return raw_shape((self.height, self.width, self.channels))

    @property
    def image_bytes(self) -> int:
        """Bytes of an image."""
        return self.height * self.width * self.channels

    def sections(self, rows: int) -> list[Self]:
        """Return the images in sections of `rows` images; the last one may be smaller."""
        return [
            replace(self, offset=self.offset + first * self.image_bytes, count=min(rows, self.count - first))
            for first in range(0, self.count, rows)
        ]

    def chunks(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the images in order, as non-empty arrays: uint8 [chunk, height, width] or, in color, [..., 3]."""
        rows = max(1, self.chunk_bytes // self.image_bytes)
        with open_regular(self.path, "a file of images") as file:
            file.seek(self.offset)
            for first in range(0, self.count, rows):
                size = min(rows, self.count - first) * self.image_bytes
                flat: NDArray[np.uint8] = np.fromfile(file, np.uint8, size)
                if len(flat) < size:
                    raise DataError(
                        f"{self.path} became shorter while it was read",
                        expected="files that do not change until the images are split",
                        remedy="run again when no other program writes to it",
                    )
                if self.column_major:
                    stored = flat.reshape(-1, self.width, self.height, *self.shape[2:])
                    yield np.ascontiguousarray(stored.swapaxes(1, 2))
                else:
                    yield flat.reshape(-1, *self.shape)


@dataclass(frozen=True)
class LabelledImages:
    """Raw images and their labels, row by row."""

    images: RawImages
    labels: NDArray[np.int64]
    """[count]"""

    def __len__(self) -> int:
        return len(self.labels)


class Spool:
    """File to which images are appended, with its number of channels; created by `spool_images`."""

    def __init__(self, path: Path, file: BinaryIO, height: int, width: int, channels: Channels) -> None:
        self._path, self._file, self._height, self._width = path, file, height, width
        self._auto = channels == "auto"
        self._channels = 1 if channels == "auto" else channels
        self._sizes: set[tuple[int, int]] = set()
        self._lost_color = self._has_grayscale = False

    def append(self, images: NDArray[np.uint8], *, resized_from: Iterable[tuple[int, int]] = ()) -> None:
        """Append images, uint8 [count, height, width] or, in color, [count, height, width, 3].

        `resized_from` are the heights and widths that they had in the source.
        """
        if images.shape[1:] == (self._height, self._width, 3):
            if self._channels == 1 and (colored := has_color(images)):
                if self._auto:
                    self._convert_to_color()
                else:
                    self._lost_color = colored
            images = gray_levels(images) if self._channels == 1 else images
        elif images.shape[1:] == (self._height, self._width):
            self._has_grayscale = True
            images = images if self._channels == 1 else repeat_gray(images)
        else:
            raise ValueError(f"images of shape {images.shape[1:]} in a file of {self._height}x{self._width} pixels")
        self._sizes.update(resized_from)
        self._file.write(np.ascontiguousarray(images, dtype=np.uint8).data)

    def append_bytes(self, content: bytes) -> None:
        """Append bytes of images that have the channels of the file."""
        self._file.write(content)

    def _convert_to_color(self) -> None:
        """Repeat each gray level in the file three times, from the end, so that nothing unread is overwritten."""
        end = self._file.seek(0, SEEK_END)
        for start in reversed(range(0, end, CHUNK_BYTES)):
            self._file.seek(start)
            levels = np.frombuffer(self._file.read(min(CHUNK_BYTES, end - start)), np.uint8)
            self._file.seek(3 * start)
            self._file.write(repeat_gray(levels).data)
        self._file.seek(3 * end)
        self._channels = 3

    def images(self) -> RawImages:
        """Return the images in the file. Read them after the block of `spool_images`."""
        images = RawImages(self._path, 0, 0, self._height, self._width, self._channels)
        to_color = self._has_grayscale and self._channels == 3
        return replace(
            images,
            count=self._path.stat().st_size // images.image_bytes,
            conversion=Conversion(frozenset(self._sizes), to_grayscale=self._lost_color, to_color=to_color),
        )


@contextmanager
def spool_images(
    path: Path, *, height: int, width: int, channels: Channels = 1, needed: int | None = None
) -> Iterator[Spool]:
    """Write images to a new file while the block runs.

    Args:
        channels: of the file: appended images are converted; `auto`: 3 if any image has color.
        needed: the approximate number of bytes, if known.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk_space_guard(path.parent, needed, "a copy of the source's images"), path.open("w+b") as file:
        yield Spool(path, file, height, width, channels)


def convert_channels(images: RawImages, channels: Literal[1, 3], path: Path, check: Callable[[], None]) -> RawImages:
    """Return the images with a number of channels, in a new file if they have another; `check` is called repeatedly."""
    if images.channels == channels:
        return images
    needed = images.count * images.height * images.width * channels
    with spool_images(path, height=images.height, width=images.width, channels=channels, needed=needed) as spool:
        for chunk in images.chunks():
            check()
            spool.append(chunk)
    converted = spool.images()
    return replace(converted, conversion=images.conversion | converted.conversion)


@contextmanager
def scratch_folder(output: Path) -> Iterator[Path]:
    """Create a temporary folder on the disk of the output, because `/tmp` may be small or in memory."""
    folder = output / "scratch"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
