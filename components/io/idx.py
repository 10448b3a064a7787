"""Reader of IDX files, the format of the original MNIST files, plain or gzip.

The format is Y. LeCun's ("The MNIST database of handwritten digits"). It is big-endian: two zero bytes, 0x08 for
unsigned bytes, the number of dimensions, one int32 per dimension, then the data.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from components.base.errors import DataError
from components.base.termination import Termination
from components.io.files import catch_read_errors, open_decompressed

if TYPE_CHECKING:
    from components.io.raw_images import RawImages

UNSIGNED_BYTES = b"\x00\x00\x08"
"""First bytes of every IDX file that this module reads."""
IMAGES, LABELS = (3, 4), (1,)
"""Numbers of dimensions; images of 4 are in color."""
BLOCK_BYTES = 2**20
"""Bytes decompressed at a time."""
WHOLE_FILE = "exactly as many bytes as its header states"
COPY_AGAIN = "the file is truncated or damaged: copy or download it again"


@dataclass(frozen=True)
class IdxFile:
    """An open IDX file of unsigned bytes whose header is read."""

    path: Path
    file: BufferedReader | gzip.GzipFile
    shape: tuple[int, ...]

    @property
    def gzipped(self) -> bool:
        """Whether the file is decompressed while it is read."""
        return isinstance(self.file, gzip.GzipFile)

    @property
    def header_bytes(self) -> int:
        """Bytes before the data."""
        return 4 + 4 * len(self.shape)

    @property
    def data_bytes(self) -> int:
        """Bytes of data that the header states."""
        return prod(self.shape) if min(self.shape) > 0 else 0

    def blocks(self, size: int = BLOCK_BYTES) -> Iterator[bytes]:
        """Yield the decompressed data, at most `size` bytes at a time, and raise DataError if its size is wrong."""
        found = 0
        while block := self._read(size):
            if declared := block[: max(0, self.data_bytes - found)]:
                yield declared
            found += len(block)
        self._check_size(found)

    def check_size(self) -> None:
        """Raise DataError if the header states no data or, in a plain file, more or less than the file has."""
        with catch_read_errors(self.path, "an IDX file"):
            self._check_size(self.data_bytes if self.gzipped else self.path.stat().st_size - self.header_bytes)

    def _read(self, size: int) -> bytes:
        with catch_read_errors(self.path, "an IDX file"):
            return self.file.read(size)

    def _check_size(self, found: int) -> None:
        if min(self.shape) < 1 or found != self.data_bytes:
            headline = f"{self.path} states {'x'.join(map(str, self.shape))} bytes of data, but has {found}"
            raise DataError(headline, expected=WHOLE_FILE, remedy=COPY_AGAIN)


@contextmanager
def open_idx(path: Path, *, dimensions: Sequence[int]) -> Iterator[IdxFile]:
    """Open an IDX file of `IMAGES` or `LABELS`, plain or gzip; its name does not matter.

    Images have the shape [count, height, width] or, in color, [count, height, width, 3].
    """
    with open_decompressed(path, "an IDX file") as file:
        with catch_read_errors(path, "an IDX file"):
            magic = file.read(4)
            _check_magic(path, magic, dimensions)
            sizes = file.read(4 * magic[3])
        yield IdxFile(path, file, _parse_shape(path, sizes, magic[3]))


def locate_idx_images(path: Path, scratch: Path, termination: Termination) -> RawImages:
    """Return the location of an IDX file's images: in the file itself or, if it is gzip, decompressed in `scratch`."""
    from components.io.raw_images import RawImages, spool_images

    with open_idx(path, dimensions=IMAGES) as idx:
        count, height, width, *color = idx.shape
        channels: Literal[1, 3] = 3 if color else 1
        if not idx.gzipped:
            idx.check_size()
            return RawImages(path, idx.header_bytes, count, height, width, channels)
        with spool_images(scratch, height=height, width=width, channels=channels, needed=idx.data_bytes) as spool:
            for block in idx.blocks():
                termination.check()
                spool.append_bytes(block)
        return spool.images()


def read_idx_labels(path: Path) -> bytes:
    """Return the labels of an IDX file, one byte each."""
    with open_idx(path, dimensions=LABELS) as idx:
        return b"".join(idx.blocks())


def _check_magic(path: Path, magic: bytes, dimensions: Sequence[int]) -> None:
    expected = [UNSIGNED_BYTES + bytes([number]) for number in dimensions]
    if magic not in expected:
        raise DataError(
            f"{path} begins with 0x{magic.hex() or '(nothing)'}, so it is not an IDX file of "
            f"{dimensions[0]}-dimensional unsigned bytes",
            expected=f"the magic number {' or '.join(f'0x{number.hex()}' for number in expected)}",
            remedy="check that the file has the right name and is not a saved error page",
        )


def _parse_shape(path: Path, sizes: bytes, dimensions: int) -> tuple[int, ...]:
    if len(sizes) < 4 * dimensions:
        raise DataError(f"{path} ends within its header", expected=WHOLE_FILE, remedy=COPY_AGAIN)
    shape = struct.unpack(f">{dimensions}i", sizes)
    if dimensions == max(IMAGES) and shape[-1] != 3:
        expected = "3 channels, or images without an axis for channels"
        raise DataError(f"{path} has images of {shape[-1]} channels", expected=expected, remedy="convert the images")
    return shape
