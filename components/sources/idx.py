"""A folder of the four original MNIST files in IDX format, gzip or plain.

The format is Y. LeCun's ("The MNIST database of handwritten digits"): big-endian; two zero
bytes, 0x08 for unsigned bytes, the number of dimensions, one int32 a dimension, then the data.
"""

from __future__ import annotations

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from components.digests import file_sha256
from components.errors import DataError
from components.sources.base import Dataset, SourceConfig
from components.sources.files import reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from components.data.formats import ImageSplit
    from components.progress import Progress

UNSIGNED_BYTE = 0x08
SPLIT_PREFIXES = {"train": "train", "test": "t10k"}
DIMENSIONS = {"images": 3, "labels": 1}
FOLDER = (
    "a folder with train-images-idx3-ubyte and train-labels-idx1-ubyte, and for a test set "
    "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each plain or .gz"
)


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

    def load(self, progress: Progress) -> Dataset:  # noqa: ARG002
        return Dataset(
            title="IDX files",
            class_names=tuple(str(label) for label in range(self.classes)),
            train=self._load_split("train"),
            test=self._load_split("test") if self._has_test() else None,
        )

    def _load_split(self, split: str) -> ImageSplit[np.uint8]:
        import numpy as np

        from components.data.formats import ImageSplit

        paths = {part: self._path(split, part) for part in DIMENSIONS}
        images, labels = (read_idx(paths[part], dimensions=DIMENSIONS[part]) for part in ("images", "labels"))
        if len(images) != len(labels):
            raise DataError(
                f"{paths['images']} has {len(images)} images but {paths['labels']} has {len(labels)} labels",
                expected="one label an image",
                remedy="get both files of the pair from the same place again",
            )
        return ImageSplit(images, labels.astype(np.int64))

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


def read_idx(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes.

    Args:
        path: the file; gzip is told by its first bytes, not by its name.
        dimensions: how many dimensions it must have: 3 for images, 1 for labels.

    Returns:
        A read-only array of uint8 with that many dimensions.

    Raises:
        DataError: if the file is missing, not IDX, broken, shorter or longer than it says.
    """
    import numpy as np

    with reading(path, "an IDX file"):
        raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(
                f"{path} is a broken gzip file: {error}",
                expected="a whole gzip file",
                remedy="copy or download the file again",
            ) from error
    magic = bytes((0, 0, UNSIGNED_BYTE, dimensions))
    if raw[:4] != magic:
        raise DataError(
            f"{path} begins with 0x{raw[:4].hex() or '(nothing)'}, so it is not an IDX file of "
            f"{dimensions}-dimensional unsigned bytes",
            expected=f"the magic number 0x{magic.hex()}",
            remedy="check that the file is the one that its name says, and not an error page",
        )
    header = 4 + 4 * dimensions
    shape = tuple(int(size) for size in np.frombuffer(raw[4:header].ljust(header - 4, b"\0"), dtype=">i4"))
    if len(raw) < header or min(shape) < 1 or len(raw) - header != prod(shape):
        raise DataError(
            f"{path} is cut short within its header"
            if len(raw) < header
            else f"{path} says that it holds {'x'.join(map(str, shape))} bytes of data, but has {len(raw) - header}",
            expected="exactly as many bytes as its header says",
            remedy="the file is cut short or damaged: copy or download it again",
        )
    return np.frombuffer(raw, dtype=np.uint8, offset=header).reshape(shape)
