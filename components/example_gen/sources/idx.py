"""A folder of the four original MNIST files in IDX format, gzip or plain.

The format is Y. LeCun's ("The MNIST database of handwritten digits"): big-endian; two zero
bytes, 0x08 for unsigned bytes, the number of dimensions, one int32 a dimension, then the data.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import Field

from components.base.errors import DataError
from components.base.hashing import file_sha256
from components.example_gen.sources.base import Dataset, SourceConfig
from components.io.files import reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from components.base.component import Context
    from components.io.raw_images import LabelledImages, RawImages

UNSIGNED_BYTE = 0x08
GZIP = b"\x1f\x8b"
BLOCK = 2**20
"""Bytes that are unpacked at a time."""
SPLIT_PREFIXES = {"train": "train", "test": "t10k"}
DIMENSIONS = {"images": 3, "labels": 1}
FOLDER = (
    "a folder with train-images-idx3-ubyte and train-labels-idx1-ubyte, and for a test set "
    "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each plain or .gz"
)

WHOLE = "exactly as many bytes as its header says"
COPY_AGAIN = "the file is cut short or damaged: copy or download it again"


class IdxSource(SourceConfig):
    """A folder of the original MNIST files; without the two `t10k` files there is no test set."""

    kind: Literal["idx"] = "idx"
    """Which source this is."""
    path: Path
    """The folder."""
    classes: Annotated[int, Field(strict=True, ge=2, le=256)] = 10
    """How many classes there are: labels run from 0 to one less."""

    def identity(self) -> dict[str, str]:
        identity = {}
        for split in ("train", "test") if self._has_test() else ("train",):
            for part in DIMENSIONS:
                path = self._path(split, part)
                with reading(path, "an IDX file"):
                    identity[f"{split} {part}"] = file_sha256(path)
        return identity | {"classes": str(self.classes)}

    def load(self, context: Context, scratch: Path) -> Dataset:
        return Dataset(
            title="IDX files",
            class_names=tuple(str(label) for label in range(self.classes)),
            train=self._load_split("train", context, scratch),
            test=self._load_split("test", context, scratch) if self._has_test() else None,
        )

    def _load_split(self, split: str, context: Context, scratch: Path) -> LabelledImages:
        import numpy as np

        from components.io.raw_images import LabelledImages

        paths = {part: self._path(split, part) for part in DIMENSIONS}
        images = read_images(paths["images"], context, scratch / split)
        labels = read_labels(paths["labels"], context)
        if images.count != len(labels):
            raise DataError(
                f"{paths['images']} has {images.count} images but {paths['labels']} has {len(labels)} labels",
                expected="one label an image",
                remedy="get both files of the pair from the same place again",
            )
        return LabelledImages(images, np.frombuffer(labels, dtype=np.uint8).astype(np.int64))

    def _has_test(self) -> bool:
        """Return whether either test file is there; then the other one must be too."""
        return any(self._find("test", part) for part in DIMENSIONS)

    def _path(self, split: str, part: str) -> Path:
        path = self._find(split, part)
        if path is None:
            raise DataError(
                f"{self.path} has no {SPLIT_PREFIXES[split]}-{part}-idx{DIMENSIONS[part]}-ubyte, plain or .gz",
                expected=FOLDER,
                remedy="put the file there, or correct example_gen.source.path",
            )
        return path

    def _find(self, split: str, part: str) -> Path | None:
        with reading(self.path, FOLDER):
            present = {entry.name for entry in self.path.iterdir()}
        for separator in "-.":
            for ending in ("", ".gz"):
                name = f"{SPLIT_PREFIXES[split]}-{part}{separator}idx{DIMENSIONS[part]}-ubyte{ending}"
                if name in present:
                    return self.path / name
        return None


def read_images(path: Path, context: Context, scratch: Path) -> RawImages:
    """Return where the images of an IDX file lie: in the file itself, or if it is packed, in `scratch`.

    Raises:
        DataError: if the file is missing, not IDX, broken, shorter or longer than it says.
        StorageError: if there is no room to unpack it.
    """
    from components.io.raw_images import RawImages, spool_images

    with opened(path, dimensions=3) as idx:
        count, height, width = idx.shape
        if not idx.packed:
            idx.check_header()
            return RawImages(path, idx.header, count, height, width)
        with spool_images(scratch, height=height, width=width, needed=idx.size) as spool:
            for block in idx.blocks():
                context.termination.check()
                spool.append(block)
        return spool.images()


def read_labels(path: Path, context: Context) -> bytes:
    """Return the labels of an IDX file, a byte each.

    Raises:
        DataError: if the file is missing, not IDX, broken, shorter or longer than it says.
    """
    labels = []
    with opened(path, dimensions=1) as idx:
        for block in idx.blocks():
            context.termination.check()
            labels.append(block)
    return b"".join(labels)


@dataclass(frozen=True)
class IdxFile:
    """An open IDX file of unsigned bytes, its header read."""

    path: Path
    file: BinaryIO
    packed: bool
    """Whether it is gzip."""
    shape: tuple[int, ...]

    @property
    def header(self) -> int:
        """Bytes before the data."""
        return 4 + 4 * len(self.shape)

    @property
    def size(self) -> int:
        """Bytes of data that the header speaks of."""
        return prod(self.shape) if min(self.shape) > 0 else 0

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Yield the data, unpacked, so many bytes at a time; fewer only at the end.

        Raises:
            DataError: at its end, if it was not as much as the header says.
        """
        found = 0
        while block := read_some(self.path, self.file, size):
            if kept := block[: max(0, self.size - found)]:
                yield kept
            found += len(block)
        self.check_size(found)

    def check_header(self) -> None:
        """Raise DataError, before data is read, if the header speaks of none, or a plain file's of more or less."""
        with reading(self.path, "an IDX file"):
            self.check_size(self.size if self.packed else self.path.stat().st_size - self.header)

    def check_size(self, found: int) -> None:
        """Raise DataError if there is more or less data than the header says."""
        if min(self.shape) < 1 or found != self.size:
            raise DataError(
                f"{self.path} says that it holds {'x'.join(map(str, self.shape))} bytes of data, but has {found}",
                expected=WHOLE,
                remedy=COPY_AGAIN,
            )


@contextmanager
def opened(path: Path, *, dimensions: int) -> Iterator[IdxFile]:
    """Open an IDX file, gzip or plain, which is told by its first bytes and not by its name.

    Args:
        path: the file.
        dimensions: how many it must have: 3 for images, 1 for labels.

    Raises:
        DataError: if the file is missing, not IDX, or broken.
    """
    with reading(path, "an IDX file"):
        raw = path.open("rb")
    with raw:
        with reading(path, "an IDX file"):
            packed = raw.peek(2)[:2] == GZIP
        file = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw
        shape = read_header(path, read_some(path, file, 4 + 4 * dimensions), dimensions)
        yield IdxFile(path, file, packed, shape)


def read_some(path: Path, file: BinaryIO, size: int) -> bytes:
    """Return the next bytes of a file, fewer only at its end.

    Raises:
        DataError: if the system refuses them, or they cannot be unpacked.
    """
    with reading(path, "an IDX file"):
        try:
            return file.read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(
                f"{path} is a broken gzip file: {error}",
                expected="a whole gzip file",
                remedy="copy or download the file again",
            ) from error


def read_header(path: Path, content: bytes, dimensions: int) -> tuple[int, ...]:
    """Return the shape that an IDX header states.

    Raises:
        DataError: if it is the header of something else, or not all of it.
    """
    magic = bytes((0, 0, UNSIGNED_BYTE, dimensions))
    if content[:4] != magic:
        raise DataError(
            f"{path} begins with 0x{content[:4].hex() or '(nothing)'}, so it is not an IDX file of "
            f"{dimensions}-dimensional unsigned bytes",
            expected=f"the magic number 0x{magic.hex()}",
            remedy="check that the file is the one that its name says, and not an error page",
        )
    if len(content) < 4 + 4 * dimensions:
        raise DataError(f"{path} is cut short within its header", expected=WHOLE, remedy=COPY_AGAIN)
    return struct.unpack(f">{dimensions}i", content[4:])
