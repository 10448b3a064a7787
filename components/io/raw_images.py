"""Raw images as a source leaves them: bytes in a file, read in their order and never all at once.

They are read with ordinary reads: the pages of a memory map would count as the process's own memory,
and stay until somebody else needs it.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from components.base.errors import DataError
from components.runtime.disk import disk_space_guard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SCRATCH = "scratch"
"""Folder below a component's output for what it needs only while it works."""
CHUNK_BYTES = 6_422_528
"""Bytes of images that are worked on together where nothing else decides: 8192 of 28x28."""


@dataclass(frozen=True)
class RawImages:
    """Grey images in a file, one after the other, each row by row, a byte a pixel."""

    path: Path
    offset: int
    """Bytes before the first image."""
    count: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """Pixels, and so bytes, of an image."""
        return self.height * self.width

    def chunks(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the images in their order, uint8 [some, height, width] and not empty.

        Raises:
            DataError: if the file ends before the last image.
        """
        rows = max(1, CHUNK_BYTES // self.pixels)
        with self.path.open("rb") as file:
            file.seek(self.offset)
            for first in range(0, self.count, rows):
                wanted = min(rows, self.count - first) * self.pixels
                flat: NDArray[np.uint8] = np.fromfile(file, np.uint8, wanted)
                if len(flat) < wanted:
                    raise DataError(
                        f"{self.path} became shorter while it was read",
                        expected="files that stay as they are until the images are split",
                        remedy="run again when nobody writes to it",
                    )
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
    """Takes images as they come and keeps them in a file; made by `spool_images`."""

    def __init__(self, path: Path, file: BinaryIO, height: int, width: int) -> None:
        self._path, self._file = path, file
        self._height, self._width = height, width
        self._bytes = 0

    def append(self, images: NDArray[np.uint8] | bytes) -> None:
        """Add images, uint8 [..., height, width], or their bytes."""
        content = images if isinstance(images, bytes) else np.ascontiguousarray(images, dtype=np.uint8).data
        self._bytes += self._file.write(content)

    def images(self) -> RawImages:
        """Return what was added, to be read once `spool_images` has ended."""
        count = self._bytes // (self._height * self._width)
        return RawImages(self._path, 0, count, self._height, self._width)


@contextmanager
def spool_images(path: Path, *, height: int, width: int, needed: int | None = None) -> Iterator[Spool]:
    """Write images to a new file while the block runs.

    Args:
        path: the file; its folder is made.
        height: of each image, in pixels.
        width: of each image, in pixels.
        needed: about how many bytes they will be, if that is known.

    Raises:
        StorageError: if the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk_space_guard(path.parent, needed, "a copy of the source's images"), path.open("wb") as file:
        yield Spool(path, file, height, width)


@contextmanager
def scratch_folder(output: Path) -> Iterator[Path]:
    """Make a folder on the disk of the output for as long as the block runs; `/tmp` may be small, or memory."""
    folder = output / SCRATCH
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
