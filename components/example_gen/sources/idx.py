"""A folder of IDX files, plain or gzip, as MNIST, Fashion-MNIST and EMNIST are published."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from components.base.component import Context
from components.base.errors import DataError
from components.example_gen.sources.base import Dataset
from components.example_gen.sources.numbered import NumberedSource
from components.io.files import catch_read_errors, data_sha256
from components.object_storage import UserLocation, open_local

if TYPE_CHECKING:
    from components.io.raw_images import LabelledImages

FILE_NAME = re.compile(r"(?:([^.].*?)-)?(train|t10k|test)-(images[-.]idx[34]|labels[-.]idx1)-ubyte(?:\.gz)?")
"""Prefix, split, and part with the number of dimensions."""
FOLDER = (
    "a folder with train-images-idx3-ubyte and train-labels-idx1-ubyte, and for a test set "
    "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each plain or .gz; or EMNIST's emnist-letters-train-... "
    "and emnist-letters-test-..."
)


class IdxSource(NumberedSource):
    """A folder of the four original MNIST files, or of an EMNIST set; without the two test files there is no test set.

    Files of images in color have four dimensions, [count, height, width, 3], and `idx4` in their names.
    """

    kind: Literal["idx"] = "idx"
    """Selects this source."""
    path: UserLocation
    """The folder, or its URL in object storage."""
    prefix: str | None = None
    """Beginning of the file names, such as `emnist-letters`; by default none or, if there is one only, that one."""

    def identity(self) -> dict[str, str]:
        files = self._files()
        digests = {name: data_sha256(path, "an IDX file") for name, path in files.items()}
        return digests | super().identity()

    def load(self, context: Context, scratch: Path) -> Dataset:
        files = self._files()
        self.warn_if_transposed(files["train images"], context)
        has_test = "test images" in files
        return Dataset(
            title="IDX files",
            class_names=self.class_names,
            train=self._load_split(files, "train", context, scratch),
            test=self._load_split(files, "test", context, scratch) if has_test else None,
        )

    def _load_split(self, files: dict[str, Path], split: str, context: Context, scratch: Path) -> LabelledImages:
        import numpy as np

        from components.io.idx import locate_idx_images, read_idx_labels
        from components.io.raw_images import LabelledImages

        path = files[f"{split} labels"]
        images = locate_idx_images(files[f"{split} images"], scratch / split, context.termination)
        if self.transpose:
            images = replace(images, height=images.width, width=images.height, column_major=True)
        labels = np.frombuffer(read_idx_labels(path), dtype=np.uint8).astype(np.int64)
        if images.count != len(labels):
            raise DataError(
                f"{files[f'{split} images']} has {images.count} images but {path} has {len(labels)} labels",
                expected="one label per image",
                remedy="download both files again from the same source",
            )
        return LabelledImages(images, self.to_class_indices(labels, path))

    def _files(self) -> dict[str, Path]:
        """Return the path of each file by split and part, such as "train images"."""
        local = open_local(self.path)
        sets = _find_sets(local.path)
        prefix = self._choose_prefix(list(sets))
        files = sets.get(prefix, {})
        # If either file of the test set exists, both are required.
        splits = ["train"] + ["test"] * any(name.startswith("test") for name in files)
        for split in splits:
            for part, dimensions in (("images", 3), ("labels", 1)):
                if f"{split} {part}" not in files:
                    original = "t10k" if split == "test" and not prefix else split
                    name = f"{prefix}{'-' * bool(prefix)}{original}-{part}-idx{dimensions}-ubyte"
                    raise DataError(
                        f"{self.path} has no {name}, plain or .gz",
                        expected=FOLDER,
                        remedy="put the file there, or correct example_gen.source.path",
                    )
        local.fetch(files.values())
        return files

    def _choose_prefix(self, prefixes: list[str]) -> str:
        if self.prefix is not None:
            return self.prefix.rstrip("-")
        if "" in prefixes or not prefixes:
            return ""
        if len(prefixes) > 1:
            raise DataError(
                f"{self.path} has IDX files of {len(prefixes)} data sets: {', '.join(prefixes)}",
                expected="the files of one data set, or example_gen.source.prefix",
                remedy=f"set example_gen.source.prefix, such as {prefixes[0]}",
            )
        return prefixes[0]


def _find_sets(folder: Path) -> dict[str, dict[str, Path]]:
    """Return the files of each prefix; a plain file precedes a compressed one, and `-idx` precedes `.idx`."""
    sets: dict[str, dict[str, Path]] = {}
    with catch_read_errors(folder, FOLDER):
        for path in sorted(folder.iterdir()):
            if match := FILE_NAME.fullmatch(path.name):
                prefix, split, part = match.groups(default="")
                name = f"{'train' if split == 'train' else 'test'} {part[:6]}"
                sets.setdefault(prefix, {}).setdefault(name, path)
    return sets
