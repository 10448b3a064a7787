"""Raw images in a file: written by a source, read in order and in chunks.

Chunks are read with ordinary reads. The pages of a memory map would count as memory of the process until the system
needs them for something else.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from components.base.errors import DataError
from components.io.files import open_regular
from components.runtime.disk import disk_space_guard

CHUNK_BYTES = 6_422_528
"""Bytes of images per chunk: 8192 images of 28x28."""


@dataclass(frozen=True)
class RawImages:
    """Grayscale images in a file, one after the other, one byte per pixel."""

    path: Path
    offset: int
    """Bytes before the first image."""
    count: int
    height: int
    width: int
    column_major: bool = False
    """Whether each image is stored column by column instead of row by row."""
    chunk_bytes: int = CHUNK_BYTES

    @property
    def pixels(self) -> int:
        """Pixels, and so bytes, of an image."""
        return self.height * self.width

    def chunks(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the images in order, as non-empty arrays: uint8 [chunk, height, width]."""
        rows = max(1, self.chunk_bytes // self.pixels)
        with open_regular(self.path, "a file of images") as file:
            file.seek(self.offset)
            for first in range(0, self.count, rows):
                size = min(rows, self.count - first) * self.pixels
                flat: NDArray[np.uint8] = np.fromfile(file, np.uint8, size)
                if len(flat) < size:
                    raise DataError(
                        f"{self.path} became shorter while it was read",
                        expected="files that do not change until the images are split",
                        remedy="run again when no other program writes to it",
                    )
                if self.column_major:
                    stored = flat.reshape(-1, self.width, self.height)
                    yield np.ascontiguousarray(stored.transpose(0, 2, 1))
                else:
                    yield flat.reshape(-1, self.height, self.width)


@dataclass(frozen=True)
class LabelledImages:
    """Raw images and their labels, row by row."""

    images: RawImages
    labels: NDArray[np.int64]
    """[count]"""

    def __len__(self) -> int:
        return len(self.labels)


class Spool:
    """File to which images are appended; created by `spool_images`."""

    def __init__(self, path: Path, file: BinaryIO, height: int, width: int) -> None:
        self._path, self._file, self._height, self._width = path, file, height, width
        self._bytes = 0

    def append(self, images: NDArray[np.uint8] | bytes) -> None:
        """Append images, uint8 [..., height, width], or their bytes."""
        content = images if isinstance(images, bytes) else np.ascontiguousarray(images, dtype=np.uint8).data
        self._bytes += self._file.write(content)

    def images(self) -> RawImages:
        """Return the images in the file. Read them after the block of `spool_images`."""
        return RawImages(self._path, 0, self._bytes // (self._height * self._width), self._height, self._width)


@contextmanager
def spool_images(path: Path, *, height: int, width: int, needed: int | None = None) -> Iterator[Spool]:
    """Write images to a new file while the block runs; `needed` is the approximate number of bytes, if known."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk_space_guard(path.parent, needed, "a copy of the source's images"), path.open("wb") as file:
        yield Spool(path, file, height, width)


@contextmanager
def scratch_folder(output: Path) -> Iterator[Path]:
    """Create a temporary folder on the disk of the output, because `/tmp` may be small or in memory."""
    folder = output / "scratch"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
