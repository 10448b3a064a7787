"""Writing of a dataset as an Examples artifact: check, split, shuffle, write, count."""

from collections.abc import Callable
from functools import reduce
from itertools import chain
from operator import or_
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Examples, ExamplesSplit, Source, Splits
from components.base.component import Context
from components.base.errors import DataError
from components.example_gen.shuffle import Bucket, distribute, make_buckets, read_bucket
from components.example_gen.sources.base import Dataset
from components.example_gen.split import SplitConfig, assign_splits
from components.io.splits import examples_frame, examples_writer, row_group_rows
from components.runtime.disk import disk_space_guard

ImageObserver = Callable[[str, NDArray[np.uint8], NDArray[np.int64]], None]
"""Called once for every image: the split, its next raw images, uint8 [batch, height, width(, 3)], and their labels."""

COUNT_CHUNK_PIXELS = 2**20
"""Values counted at a time; `numpy.bincount` makes a temporary integer of 8 bytes of each."""
INK_HISTOGRAM_BINS = 20


def no_observer(split: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    """Do nothing: the null object of ImageObserver."""


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
    observer: ImageObserver = no_observer,
) -> Examples:
    """Check and split a dataset, write one Parquet file per split, and return the artifact.

    Args:
        dataset: what the source loaded. Its image files in `scratch` are deleted once they are shuffled.
        memory_budget: bytes of images to hold in memory at once; does not affect the result.

    Raises:
        DataError: if the dataset is inconsistent, or too small to split.
        ConfigError: if the strategy is `official` and the dataset has no test set.
    """
    check_dataset(dataset, pooled=split.strategy == "stratified")
    images, parts = dataset.train.images, dataset.parts()
    group = row_group_rows(images.image_bytes)
    # A bucket takes half of the budget: its pieces are also read, sorted and encoded.
    size = max(1, memory_budget // 2 // (images.image_bytes * group)) * group
    buckets: dict[str, list[Bucket]] = {}
    start = 0
    for name, rows in assign_splits(dataset, split, seed).items():
        buckets[name] = make_buckets(rows, start=start, size=size)
        start += len(rows)
    shuffled = scratch / "shuffled"
    content_sha256 = distribute(parts, [*chain(*buckets.values())], shuffled, context.termination.check)
    for part in parts:
        if part.images.path.is_relative_to(scratch):
            part.images.path.unlink(missing_ok=True)
    labels = np.concatenate([part.labels for part in parts])
    splits = {}
    for name in buckets:
        statistics = SplitStatistics(len(dataset.class_names), images.channels)
        path = context.output / f"{name}.parquet"
        # An upper limit: the compressed size is not known before the images are written.
        needed = sum(len(bucket.rows) for bucket in buckets[name]) * images.image_bytes
        with (
            disk_space_guard(context.output, needed, f"the {name} images"),
            examples_writer(path, images.image_bytes) as write,
        ):
            for bucket in buckets[name]:
                for rows, batch in read_bucket(bucket, shuffled, images.shape, group=group):
                    context.termination.check()
                    write(examples_frame(batch, labels[rows], image_ids(rows, len(dataset.train))))
                    statistics.add(batch, labels[rows])
                    observer(name, batch, labels[rows])
        splits[name] = statistics.to_examples_split(path.name)
    conversion = reduce(or_, [part.images.conversion for part in parts]).describe(images.height, images.width)
    identity = {**source_identity, "content_sha256": content_sha256}
    return Examples(
        source=Source(kind=source_kind, title=dataset.title, identity=identity, conversion=conversion),
        image_shape=(images.height, images.width, images.channels),
        class_names=dataset.class_names,
        strategy=split.strategy,
        seed=seed,
        splits=Splits[ExamplesSplit](**splits),
    )


def image_ids(rows: NDArray[np.int64], train: int) -> list[str]:
    """Return the `id` of each row: the source's set and the row in it, given the size of the training set.

    >>> image_ids(np.array([0, 7, 10]), 10)
    ['train/0', 'train/7', 'test/0']
    """
    return [f"train/{row}" if row < train else f"test/{row - train}" for row in rows.tolist()]


def check_dataset(dataset: Dataset, *, pooled: bool) -> None:
    """Check that images and labels are consistent, and that every class is in each set or, if `pooled`, in any."""
    classes = len(dataset.class_names)
    parts = {"train": dataset.train} | ({} if dataset.test is None else {"test": dataset.test})
    for name, part in parts.items():
        images, labels = part.images, part.labels
        if images.shape != dataset.train.images.shape:
            raise DataError(
                f"the {name} images of {dataset.title} are {'x'.join(map(str, images.shape))}",
                expected="images of one size in all sets",
                remedy="correct the source",
            )
        if images.count == 0 or images.count != len(labels):
            raise DataError(
                f"the {name} set of {dataset.title} has {images.count} images and {len(labels)} labels",
                expected="at least one image, and one label per image",
                remedy="correct the source",
            )
        if labels.min() < 0 or labels.max() >= classes:
            label = int(labels.max() if labels.max() >= classes else labels.min())
            row = int(np.flatnonzero(labels == label)[0])
            raise DataError(
                f"image {row} of the {name} set of {dataset.title} has the label {label}",
                expected=f"labels from 0 to {classes - 1}, for {classes} classes",
                remedy="correct the label, or set the source's number of classes",
            )
    pools = [part.labels for part in parts.values()]
    for labels in [np.concatenate(pools)] if pooled else pools:
        if missing := np.flatnonzero(np.bincount(labels, minlength=classes) == 0).tolist():
            names = ", ".join(dataset.class_names[label] for label in missing[:5])
            raise DataError(
                f"{dataset.title}: there is no image of class {names}" + ("" if pooled else " in one of its sets"),
                expected=f"images of every label from 0 to {classes - 1}",
                remedy="add images of that class, or set the source's classes and first_label to its labels",
            )


class SplitStatistics:
    """The statistics of one split, counted from its images as they are written."""

    def __init__(self, classes: int, channels: int) -> None:
        self._levels = np.zeros((channels, 256), dtype=np.int64)
        self._labels = np.zeros(classes, dtype=np.int64)
        self._ink = np.zeros(INK_HISTOGRAM_BINS, dtype=np.int64)

    def add(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        """Count a batch of raw images, uint8 [batch, height, width(, 3)], and their labels."""
        self._labels += np.bincount(labels, minlength=len(self._labels))
        channels = images.reshape(-1, len(self._levels)).T
        for levels, pixels in zip(self._levels, channels, strict=True):
            for start in range(0, len(pixels), COUNT_CHUNK_PIXELS):
                levels += np.bincount(pixels[start : start + COUNT_CHUNK_PIXELS], minlength=256)
        ink = images.reshape(len(images), -1).mean(axis=1)
        self._ink += np.histogram(ink, bins=INK_HISTOGRAM_BINS, range=(0, 255))[0]

    def to_examples_split(self, file: str) -> ExamplesSplit:
        """Return the statistics as part of the manifest."""
        # Exact in integers: a histogram of 256 gray levels gives both moments in one pass.
        levels = np.arange(256, dtype=np.float64)
        counts = self._levels.sum(axis=0)
        mean = float(counts @ levels / counts.sum())
        variance = float(counts @ (levels - mean) ** 2 / counts.sum())
        return ExamplesSplit(
            file=file,
            count=int(self._labels.sum()),
            label_counts=tuple(self._labels.tolist()),
            pixel_mean=mean,
            pixel_std=variance**0.5,
            pixel_histogram=tuple(self._levels.reshape(-1, 16).sum(axis=1).tolist()),
            ink_histogram=tuple(self._ink.tolist()),
        )
