"""A folder of the four original MNIST files in IDX format, plain or gzip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from components.base.component import Context
from components.base.errors import DataError
from components.base.paths import UserPath
from components.example_gen.sources.base import Dataset, SourceConfig
from components.io.files import catch_read_errors, data_sha256

if TYPE_CHECKING:
    from components.io.raw_images import LabelledImages

SPLIT_PREFIXES = {"train": "train", "test": "t10k"}
DIMENSIONS = {"images": 3, "labels": 1}
FOLDER = (
    "a folder with train-images-idx3-ubyte and train-labels-idx1-ubyte, and for a test set "
    "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each plain or .gz"
)


class IdxSource(SourceConfig):
    """A folder of the original MNIST files; without the two `t10k` files there is no test set."""

    kind: Literal["idx"] = "idx"
    """Selects this source."""
    path: UserPath
    """The folder."""
    classes: Annotated[int, Field(strict=True, ge=2, le=256)] = 10
    """Number of classes: labels are 0 to one less."""

    def identity(self) -> dict[str, str]:
        identity = {}
        for split in ("train", "test") if self._has_test() else ("train",):
            for part in DIMENSIONS:
                identity[f"{split} {part}"] = data_sha256(self._path(split, part), "an IDX file")
        return identity | {"classes": str(self.classes)}

    def load(self, context: Context, scratch: Path) -> Dataset:
        return Dataset(
            title="IDX files",
            class_names=tuple(map(str, range(self.classes))),
            train=self._load_split("train", context, scratch),
            test=self._load_split("test", context, scratch) if self._has_test() else None,
        )

    def _load_split(self, split: str, context: Context, scratch: Path) -> LabelledImages:
        import numpy as np

        from components.io.idx import locate_idx_images, read_idx_labels
        from components.io.raw_images import LabelledImages

        paths = {part: self._path(split, part) for part in DIMENSIONS}
        images = locate_idx_images(paths["images"], scratch / split, context.termination)
        labels = read_idx_labels(paths["labels"])
        if images.count != len(labels):
            raise DataError(
                f"{paths['images']} has {images.count} images but {paths['labels']} has {len(labels)} labels",
                expected="one label per image",
                remedy="download both files again from the same source",
            )
        return LabelledImages(images, np.frombuffer(labels, dtype=np.uint8).astype(np.int64))

    def _has_test(self) -> bool:
        # If either file exists, both are required.
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
        prefix, suffix = f"{SPLIT_PREFIXES[split]}-{part}", f"idx{DIMENSIONS[part]}-ubyte"
        names = [f"{prefix}{separator}{suffix}{ending}" for separator in "-." for ending in ("", ".gz")]
        with catch_read_errors(self.path, FOLDER):
            present = {entry.name for entry in self.path.iterdir()}
        return next((self.path / name for name in names if name in present), None)
