"""External shuffle of more images than fit into memory, in two passes whose tasks can run in several processes.

The first pass reads the source in sections. `scatter` sorts the images of a section by bucket: a part of one split that
fits into memory. The second pass, `gather`, reads the images of a bucket from all scattered files, and yields them in
the split's order. The result depends neither on the size of the sections nor on that of the buckets. (The first pass is
the distribution pass of external sorting: Knuth, TAOCP vol. 3, section 5.4.9.)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.io.raw_images import RawImages


@dataclass(frozen=True)
class Bucket:
    """Images of a split that are sorted in memory together."""

    number: int
    rows: NDArray[np.int64]
    """The row of each image in the source, in the split's order."""


@dataclass(frozen=True)
class ScatteredImages:
    """The images of a section of the source, sorted by bucket, in one file."""

    path: Path
    starts: NDArray[np.int64]
    """Number of images before each bucket, and of all images: [buckets + 1]."""


@dataclass(frozen=True)
class Span:
    """Consecutive images in a file."""

    path: Path
    start: int
    count: int


def scatter(section: RawImages, bucket_of: NDArray[np.int32], buckets: int, path: Path) -> ScatteredImages:
    """Write the images of a section to a file, sorted by bucket, and within a bucket by row.

    Args:
        section: consecutive images of the source.
        bucket_of: number of the bucket of each image: [images].
        buckets: number of all buckets.
    """
    starts = np.zeros(buckets + 1, np.int64)
    np.cumsum(np.bincount(bucket_of, minlength=buckets), out=starts[1:])
    ends, row = starts.copy(), 0
    with path.open("wb") as file:
        for chunk in section.chunks():
            numbers = bucket_of[row : row + len(chunk)]
            row += len(chunk)
            by_bucket = np.argsort(numbers, kind="stable")
            present, first = np.unique(numbers[by_bucket], return_index=True)
            for number, piece in zip(present, np.split(chunk[by_bucket], first[1:]), strict=True):
                file.seek(ends[number] * section.image_bytes)
                file.write(piece.data)
                ends[number] += len(piece)
    return ScatteredImages(path, starts)


def spans_of(bucket: Bucket, scattered: Sequence[ScatteredImages]) -> list[Span]:
    """Return where the images of a bucket are in the scattered files."""
    spans = []
    for section in scattered:
        start, stop = section.starts[bucket.number : bucket.number + 2].tolist()
        if stop > start:
            spans.append(Span(section.path, start, stop - start))
    return spans


def gather(
    bucket: Bucket, spans: Sequence[Span], shape: tuple[int, ...], *, group: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Yield `group` images of a bucket at a time, in the split's order: source rows and uint8 [batch, *shape].

    The spans are in the order of the source.
    """
    rows, size = bucket.rows, prod(shape)
    images = np.empty((len(rows), *shape), np.uint8)
    end = 0
    for span in spans:
        flat = np.fromfile(span.path, np.uint8, span.count * size, offset=span.start * size)
        images[end : end + span.count] = flat.reshape(-1, *shape)
        end += span.count
    positions = np.empty(len(rows), dtype=np.int64)
    positions[np.argsort(rows)] = np.arange(len(rows))  # the images are sorted by source row
    for first in range(0, len(rows), group):
        yield rows[first : first + group], images[positions[first : first + group]]
