"""One file of a split: written from the buckets of its images, by a function that can run in another process."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.example_gen.shuffle import Bucket, Span, gather
from components.example_gen.split_statistics import SplitStatistics
from components.example_gen.validation.image_checks import ENTRY_DTYPE, image_entries
from components.io.splits import examples_frame, examples_writer, row_group_rows


@dataclass(frozen=True)
class ShardPart:
    """A bucket: its scattered images, and their labels in the split's order."""

    bucket: Bucket
    spans: list[Span]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class WrittenShard:
    """The statistics of a written file, and the index entries of its images."""

    statistics: SplitStatistics
    entries: NDArray[np.void]
    """Entries for `ImageIndex`, in the order of the images; empty if they were not requested."""


def write_shard(
    path: Path,
    parts: Sequence[ShardPart],
    shape: tuple[int, ...],
    *,
    train: int,
    statistics: SplitStatistics,
    with_entries: bool,
) -> WrittenShard:
    """Write a file of a split, and compute its statistics.

    Args:
        shape: of an image: height and width, and for color 3.
        train: number of images in the source's training set, for the ids.
        statistics: without images so far; those of the file are added.
        with_entries: whether to return entries for `ImageIndex`.
    """
    size = prod(shape)
    entries = [np.empty(0, ENTRY_DTYPE)]
    with examples_writer(path, size) as write:
        for part in parts:
            first = 0
            for rows, images in gather(part.bucket, part.spans, shape, group=row_group_rows(size)):
                labels = part.labels[first : first + len(rows)]
                first += len(rows)
                write(examples_frame(images, labels, image_ids(rows, train)))
                statistics.add(images, labels)
                if with_entries:
                    entries.append(image_entries(images, labels))
    return WrittenShard(statistics, np.concatenate(entries))


def image_ids(rows: NDArray[np.int64], train: int) -> list[str]:
    """Return the `id` of each row: the source's set and the row in it, given the size of the training set.

    >>> image_ids(np.array([0, 7, 10]), 10)
    ['train/0', 'train/7', 'test/0']
    """
    return [f"train/{row}" if row < train else f"test/{row - train}" for row in rows.tolist()]
