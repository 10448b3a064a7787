"""External shuffle of more images than fit into memory, in two passes over a file.

The first pass reads the images in the source's order and writes each into its bucket: a section of one split that fits
into memory. The second pass reads one bucket after the other and yields its images in the split's order. The result
does not depend on the size of the buckets. (The first pass is the distribution pass of external sorting: Knuth, TAOCP
vol. 3, section 5.4.9.)
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.io.raw_images import LabelledImages
from components.runtime.disk import disk_space_guard


@dataclass(frozen=True)
class Bucket:
    """A section of a split, and of the shuffled file."""

    rows: NDArray[np.int64]
    """The row of each image in the source, in the split's order."""
    start: int
    """Number of images before it in the file."""


def make_buckets(rows: NDArray[np.int64], *, start: int, size: int) -> list[Bucket]:
    """Cut a split, given as rows in its order, into buckets of `size` images; the last may be smaller."""
    return [Bucket(rows[first : first + size], start + first) for first in range(0, len(rows), size)]


def distribute(
    parts: Sequence[LabelledImages], buckets: Sequence[Bucket], path: Path, check: Callable[[], None]
) -> str:
    """Write every image into its bucket, the first pass; return the SHA-256 of images and labels in source order.

    Rows are numbered through all parts, and the buckets contain every row exactly once. `check` is called between
    chunks.
    """
    bucket_of = np.empty(sum(map(len, parts)), dtype=np.int32)
    for number, bucket in enumerate(buckets):
        bucket_of[bucket.rows] = number
    ends = [bucket.start for bucket in buckets]
    size = parts[0].images.image_bytes
    digest = hashlib.sha256()
    row = 0
    with disk_space_guard(path.parent, len(bucket_of) * size, "the shuffled images"), path.open("wb") as file:
        for part in parts:
            images = part.images
            digest.update(f"|u1{(images.count, *images.shape)}".encode())
            for chunk in images.chunks():
                check()
                digest.update(chunk.data)
                numbers = bucket_of[row : row + len(chunk)]
                row += len(chunk)
                by_bucket = np.argsort(numbers, kind="stable")
                present, first = np.unique(numbers[by_bucket], return_index=True)
                for number, piece in zip(present, np.split(chunk[by_bucket], first[1:]), strict=True):
                    file.seek(ends[number] * size)
                    file.write(piece.data)
                    ends[number] += len(piece)
            digest.update(f"{part.labels.dtype.str}{part.labels.shape}".encode())
            digest.update(part.labels.tobytes())
    return digest.hexdigest()


def read_bucket(
    bucket: Bucket, path: Path, shape: tuple[int, ...], *, group: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Yield `group` images at a time in the split's order, the second pass: source rows and uint8 [batch, *shape]."""
    rows, size = bucket.rows, prod(shape)
    images = np.fromfile(path, np.uint8, len(rows) * size, offset=bucket.start * size).reshape(-1, *shape)
    positions = np.empty(len(rows), dtype=np.int64)
    positions[np.argsort(rows)] = np.arange(len(rows))  # within a bucket, the file is sorted by source row
    for first in range(0, len(rows), group):
        yield rows[first : first + group], images[positions[first : first + group]]
