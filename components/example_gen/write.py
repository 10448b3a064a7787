"""Writing of a dataset as an Examples artifact: check, split, shuffle, write, count."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from hashlib import sha256
from itertools import count
from operator import or_
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.artifacts import SPLITS, Examples, ExamplesShard, ExamplesSplit, Source, Splits
from components.base.component import Context
from components.base.errors import DataError
from components.example_gen.shard import ShardPart, write_shard
from components.example_gen.shuffle import Bucket, ScatteredImages, scatter, spans_of
from components.example_gen.sources.base import Dataset
from components.example_gen.split import SplitConfig, assign_splits
from components.example_gen.split_statistics import SplitStatistics
from components.example_gen.validation.image_checks import ImageIndex
from components.io.raw_images import LabelledImages
from components.io.splits import row_group_rows, shard_rows
from components.runtime.disk import disk_space_guard

SECTION_BYTES = 2**26
"""Bytes of images that one task scatters; more if the source would have more than `MAX_SECTIONS`."""
MAX_SECTIONS = 1000
"""Maximum number of sections of a source, because each bucket is read in one piece from each section."""


@dataclass(frozen=True)
class ShardPlan:
    """A file of a split that a task writes, and the buckets of its images."""

    split: str
    file: str
    buckets: list[Bucket]

    @property
    def count(self) -> int:
        return sum(len(bucket.rows) for bucket in self.buckets)


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
    index: ImageIndex | None = None,
) -> Examples:
    """Check and split a dataset, write the Parquet files of each split, and return the artifact.

    Args:
        dataset: what the source loaded. Its image files in `scratch` are deleted once they are shuffled.
        memory_budget: bytes of images to hold in memory at once; does not affect the result.
        index: receives the entry of each image; None if no check needs it.

    Raises:
        DataError: if the dataset is inconsistent, or too small to split.
        ConfigError: if the strategy is `official` and the dataset has no test set.
    """
    check_dataset(dataset, pooled=split.strategy == "stratified")
    images, parts = dataset.train.images, dataset.parts()
    labels = np.concatenate([part.labels for part in parts])
    plans = _plan_shards(assign_splits(dataset, split, seed), images.image_bytes, context, memory_budget)
    content_sha256, scattered = _scatter(parts, [bucket for plan in plans for bucket in plan.buckets], scratch, context)
    for part in parts:
        if part.images.path.is_relative_to(scratch):
            part.images.path.unlink(missing_ok=True)
    for name in SPLITS:
        (context.output / name).mkdir()
    tasks = [
        partial(
            write_shard,
            context.output / plan.file,
            [ShardPart(bucket, spans_of(bucket, scattered), labels[bucket.rows]) for bucket in plan.buckets],
            images.shape,
            train=len(dataset.train),
            statistics=SplitStatistics(len(dataset.class_names), images.channels),
            with_entries=index is not None,
        )
        for plan in plans
    ]
    statistics = {name: SplitStatistics(len(dataset.class_names), images.channels) for name in SPLITS}
    shards: dict[str, list[ExamplesShard]] = {name: [] for name in SPLITS}
    # An upper limit: the compressed size is not known before the images are written.
    with disk_space_guard(context.output, len(labels) * images.image_bytes, "the split images"):
        shards_written = context.engine.run(tasks, context.termination.check, [plan.count for plan in plans])
        for plan, written in zip(plans, shards_written, strict=True):
            statistics[plan.split].merge(written.statistics)
            shards[plan.split].append(ExamplesShard(file=plan.file, count=plan.count))
            if index is not None:
                index.add(plan.split, written.entries)
    conversion = reduce(or_, [part.images.conversion for part in parts]).describe(images.height, images.width)
    identity = {**source_identity, "content_sha256": content_sha256}
    splits = {name: statistics[name].to_examples_split(tuple(shards[name])) for name in SPLITS}
    return Examples(
        source=Source(kind=source_kind, title=dataset.title, identity=identity, conversion=conversion),
        image_shape=(images.height, images.width, images.channels),
        class_names=dataset.class_names,
        strategy=split.strategy,
        seed=seed,
        splits=Splits[ExamplesSplit](**splits),
    )


def _plan_shards(
    splits: dict[str, NDArray[np.int64]], image_bytes: int, context: Context, memory_budget: int
) -> list[ShardPlan]:
    """Return the files of all splits; the number of images in a file depends only on the size of an image."""
    group, rows_per_file = row_group_rows(image_bytes), shard_rows(image_bytes)
    # A bucket takes half of a task's budget: its pieces are also read, sorted and encoded.
    size = max(1, memory_budget // context.engine.parallel // 2 // (image_bytes * group)) * group
    plans, numbers = [], count()
    for name in SPLITS:
        rows = splits[name]
        for shard, first in enumerate(range(0, len(rows), rows_per_file)):
            file_rows = rows[first : first + rows_per_file]
            buckets = [
                Bucket(next(numbers), file_rows[start : start + size]) for start in range(0, len(file_rows), size)
            ]
            plans.append(ShardPlan(name, f"{name}/{shard:05}.parquet", buckets))
    return plans


def _scatter(
    parts: Sequence[LabelledImages], buckets: Sequence[Bucket], scratch: Path, context: Context
) -> tuple[str, list[ScatteredImages]]:
    """Scatter the images of all parts; return their `content_sha256`, and the scattered files in the source's order."""
    bucket_of = np.empty(sum(map(len, parts)), dtype=np.int32)
    for bucket in buckets:
        bucket_of[bucket.rows] = bucket.number
    size = parts[0].images.image_bytes
    rows = max(1, SECTION_BYTES // size, len(bucket_of) // MAX_SECTIONS)
    sections = [section for part in parts for section in part.images.sections(rows)]
    ends = np.cumsum([section.count for section in sections])
    tasks = [
        partial(scatter, section, numbers, len(buckets), scratch / f"scattered-{number:05}")
        for number, (section, numbers) in enumerate(zip(sections, np.split(bucket_of, ends[:-1]), strict=True))
    ]
    with disk_space_guard(scratch, len(bucket_of) * size, "the shuffled images"):
        scattered = [*context.engine.run(tasks, context.termination.check)]
    return content_sha256(parts), scattered


def content_sha256(parts: Sequence[LabelledImages]) -> str:
    """Return the SHA-256 of images and labels in the source's order."""
    digest = sha256()
    for part in parts:
        images = part.images
        digest.update(f"|u1{(images.count, *images.shape)}".encode())
        for chunk in images.chunks():
            digest.update(chunk.data)
        digest.update(f"{part.labels.dtype.str}{part.labels.shape}".encode())
        digest.update(part.labels.tobytes())
    return digest.hexdigest()


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
