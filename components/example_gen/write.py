"""From what a source gave to an Examples artifact: check it, split it, write it, count it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import Examples, ExamplesSplit, Source, Splits
from components.base.errors import ConfigError, DataError
from components.example_gen.shuffle import Bucket, distribute, make_buckets, ordered
from components.example_gen.split import split_rows
from components.io.splits import examples_frame, examples_writer, row_group_rows
from components.runtime.disk import disk_space_guard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from components.base.component import Context
    from components.example_gen.sources.base import Dataset
    from components.example_gen.split_config import SplitConfig

    ProgressReporter = Callable[[str, NDArray[np.uint8], NDArray[np.int64]], None]
    """Is shown every image once: the split, its next images as uint8 [some, pixels], and their labels."""

COUNTED = 2**20
"""Pixels that are counted at a time; to count them NumPy makes 8 bytes of each."""
GREY_STEPS = 16
INK_STEPS = 20


def no_observer(split: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Look at nothing: the watcher of images that nobody asks about."""


def write_dataset(
    dataset: Dataset,
    split: SplitConfig,
    context: Context,
    scratch: Path,
    *,
    seed: int,
    source_kind: str,
    source_identity: dict[str, str],
    memory_budget: int,
    watcher: ProgressReporter = no_observer,
) -> Examples:
    """Check a dataset, split it, write one Parquet file a split, and return what was written.

    Args:
        dataset: what the source gave; its images go when they lie in the scratch folder.
        split: how to split it.
        context: where to write, and whom to heed.
        scratch: a folder for what is needed only meanwhile.
        seed: decides the shuffle.
        source_kind: as the manifest states it.
        source_identity: as the manifest states it.
        memory_budget: bytes of images to hold in memory at once; changes nothing of the result.
        watcher: is shown the images as they are written.

    Raises:
        DataError: if the dataset contradicts itself, or is too small to split.
        ConfigError: if `official` is asked of a dataset without a test set.
        TerminationError: if the job was asked to end.
        StorageError: if the disk is full.
    """
    check(dataset, pooled=split.strategy == "stratified")
    images, parts = dataset.train.images, dataset.parts()
    group = row_group_rows(images.pixels)
    # Half of the budget: beside a bucket there are the pieces that are read, put in order and encoded.
    size = max(1, memory_budget // 2 // (images.pixels * group)) * group
    buckets: dict[str, list[Bucket]] = {}
    start = 0
    for name, rows in assign_splits(dataset, split, seed).items():
        buckets[name] = make_buckets(rows, start=start, size=size)
        start += len(rows)
    shuffled = scratch / "shuffled"
    content = distribute(parts, [*chain(*buckets.values())], shuffled, context.termination.check)
    for part in parts:
        if part.images.path.is_relative_to(scratch):
            part.images.path.unlink(missing_ok=True)
    labels = np.concatenate([part.labels for part in parts])
    splits = {}
    for name in buckets:
        tally = SplitStatistics(len(dataset.class_names))
        path = context.output / f"{name}.parquet"
        needed = sum(len(bucket.rows) for bucket in buckets[name]) * images.pixels
        # Images compress to less; how much less is known when they are written.
        with (
            disk_space_guard(context.output, needed, f"the {name} images"),
            examples_writer(path, images.pixels) as write,
        ):
            for bucket in buckets[name]:
                for rows, some in ordered(bucket, shuffled, images.pixels, group=group):
                    context.termination.check()
                    write(examples_frame(some, labels[rows], row_names(rows, len(dataset.train))))
                    tally.add(some, labels[rows])
                    watcher(name, some, labels[rows])
        splits[name] = tally.statement(path.name)
    return Examples(
        source=Source(kind=source_kind, title=dataset.title, identity={**source_identity, "content_sha256": content}),
        image_shape=(images.height, images.width, 1),
        class_names=dataset.class_names,
        strategy=split.strategy,
        seed=seed,
        splits=Splits[ExamplesSplit](**splits),
    )


def row_names(rows: NDArray[np.int64], train: int) -> list[str]:
    """Return the `id` of each row: the set that it comes from, and its row there.

    >>> row_names(np.array([0, 7, 10]), 10)
    ['train/0', 'train/7', 'test/0']
    """
    return [f"train/{row}" if row < train else f"test/{row - train}" for row in rows.tolist()]


def check(dataset: Dataset, *, pooled: bool) -> None:
    """Hold a source's images and labels against what the Examples manifest will state.

    Args:
        dataset: what the source gave.
        pooled: whether every class must be in the whole of it, or in each of its sets.

    Raises:
        DataError: if shapes, types, counts or labels are not as stated.
    """
    classes = len(dataset.class_names)
    parts = {"train": dataset.train} | ({} if dataset.test is None else {"test": dataset.test})
    for name, part in parts.items():
        images, labels = part.images, part.labels
        if (images.height, images.width) != (dataset.train.images.height, dataset.train.images.width):
            raise DataError(
                f"the {name} images of {dataset.title} are {images.height}x{images.width}",
                expected="images of one size in all sets",
                remedy="correct the source",
            )
        if images.count == 0 or images.count != len(labels):
            raise DataError(
                f"the {name} set of {dataset.title} has {images.count} images and {len(labels)} labels",
                expected="at least one image, and one label for each",
                remedy="correct the source",
            )
        if labels.min() < 0 or labels.max() >= classes:
            odd = int(labels.max() if labels.max() >= classes else labels.min())
            row = int(np.flatnonzero(labels == odd)[0])
            raise DataError(
                f"image {row} of the {name} set of {dataset.title} has the label {odd}",
                expected=f"labels from 0 to {classes - 1}, for {classes} classes",
                remedy="correct the label, or tell the source how many classes there are",
            )
    pools = [np.concatenate([part.labels for part in parts.values()])] if pooled else [p.labels for p in parts.values()]
    for labels in pools:
        if missing := np.flatnonzero(np.bincount(labels, minlength=classes) == 0).tolist():
            names = ", ".join(dataset.class_names[label] for label in missing[:5])
            raise DataError(
                f"{dataset.title}: there is no image of class {names}" + ("" if pooled else " in one of its sets"),
                expected=f"labels that run from 0 to {classes - 1} without a gap",
                remedy="add images of it, or tell the source how many classes there are",
            )


def assign_splits(dataset: Dataset, split: SplitConfig, seed: int) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each split in their order; rows of the test set are counted on from the training set's.

    Raises:
        ConfigError: if `official` is asked of a source without a test set.
        DataError: if it is too small to split.
    """
    train, test = dataset.train, dataset.test
    if split.strategy == "official":
        if test is None:
            raise ConfigError(
                f"the split strategy `official` needs a source with a test set of its own, "
                f"and {dataset.title} has none",
                expected="a source with its own test set, or the strategy `stratified`",
                remedy="set example_gen.split.strategy to `stratified`, or give the source its test files",
            )
        labels, sizes = train.labels, {"validation": split.validation}
    else:
        labels = np.concatenate([part.labels for part in dataset.parts()])
        sizes = {"test": split.test_share, "validation": split.validation}
    rows = split_rows(labels, sizes, seed=seed, class_names=dataset.class_names)
    if split.strategy == "official" and test is not None:
        rows["test"] = len(train) + np.random.default_rng(seed).permutation(len(test))
    return rows


class SplitStatistics:
    """Counts what a manifest says of one split, from its images as they are written."""

    def __init__(self, classes: int) -> None:
        self._greys = np.zeros(256, dtype=np.int64)
        self._labels = np.zeros(classes, dtype=np.int64)
        self._inks = np.zeros(INK_STEPS, dtype=np.int64)

    def add(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        """Count some images, uint8 [some, pixels], and their labels."""
        self._labels += np.bincount(labels, minlength=len(self._labels))
        flat = images.reshape(-1)
        for start in range(0, len(flat), COUNTED):
            self._greys += np.bincount(flat[start : start + COUNTED], minlength=256)
        inks = images.reshape(len(images), -1).mean(axis=1)
        self._inks += np.histogram(inks, bins=INK_STEPS, range=(0, 255))[0]

    def statement(self, file: str) -> ExamplesSplit:
        """Return what was counted."""
        # Exact in integers: a histogram of 256 grey values gives both moments in one pass.
        values = np.arange(256, dtype=np.float64)
        mean = float(self._greys @ values / self._greys.sum())
        variance = float(self._greys @ (values - mean) ** 2 / self._greys.sum())
        return ExamplesSplit(
            file=file,
            count=int(self._labels.sum()),
            label_counts=tuple(self._labels.tolist()),
            pixel_mean=mean,
            pixel_std=variance**0.5,
            pixel_histogram=tuple(self._greys.reshape(GREY_STEPS, -1).sum(axis=1).tolist()),
            ink_histogram=tuple(self._inks.tolist()),
        )
