"""Images of a transformed split: network inputs, or pictures, which are converted when they are read.

Transform stores raw images, one byte per pixel and channel; the transform graph converts them to *pictures*, float32
from 0 to 1, and then to the network's inputs. Only the results of custom functions are stored. A split may be larger
than memory: `open_scaled` and `open_pictures` read the rows that are indexed, `iterate_scaled` reads batch by batch,
and only `read_scaled` reads a whole split.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.artifacts import GraphOperation, Stored, TransformedExamples, TransformedSplit
from components.inference.transform_graph import apply_numpy, picture_graph
from components.io.arrays import FileArray, Rows, read_rows
from components.io.image_digests import image_digests, split_sha256
from components.io.splits import ImageSplit

CONVERTED_ROWS = 1024
"""Number of images converted at a time: this many MNIST images fit into a processor's cache."""


@dataclass(frozen=True)
class SplitImages:
    """The images of a split, which are read and converted when they are indexed, and their labels.

    >>> gray = np.array([[[0, 255]], [[255, 0]]], dtype=np.uint8)
    >>> images = SplitImages(gray.astype(np.float32)[..., None] / 255, np.array([3, 7]))
    >>> images[1].tolist(), images[[0, 1]].shape
    ([[[1.0], [0.0]]], (2, 1, 2, 1))
    """

    stored: NDArray[Any] | FileArray[Any]
    """[count, ...]"""
    labels: NDArray[np.int64]
    """[count]"""
    graph: tuple[GraphOperation, ...] = ()
    """Converts the stored images when they are read."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: int | Rows) -> NDArray[np.float32]:
        """Return one image, [height, width, channels], or several, [rows, height, width, channels]."""
        if isinstance(rows, int | np.integer):
            image: NDArray[np.float32] = self[[rows]][0]
            return image
        return apply_numpy(self.graph, self.stored[rows])

    @cached_property
    def image_shape(self) -> tuple[int, ...]:
        """Height, width and channels."""
        shape: tuple[int, ...] = self[0].shape
        return shape

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the images from row `start` to `stop` (exclusive), [rows, height, width, channels]."""
        return self._convert(stop - start, lambda first, last: read_rows(self.stored, start + first, start + last))

    def read_rows(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """Return the images at these rows, as indexing does, but with less memory."""
        return self._convert(len(rows), lambda first, last: self.stored[rows[first:last]])

    def batches(self, rows: int) -> Iterator[NDArray[np.float32]]:
        """Yield all images in order, at most `rows` at a time."""
        return (self.read(first, min(first + rows, len(self))) for first in range(0, len(self), rows))

    def _convert(self, count: int, read: Callable[[int, int], NDArray[Any]]) -> NDArray[np.float32]:
        images = np.empty((count, *self.image_shape), np.float32)
        for first in range(0, count, CONVERTED_ROWS):
            last = min(first + CONVERTED_ROWS, count)
            images[first:last] = apply_numpy(self.graph, read(first, last))
        return images

    def digests(self) -> NDArray[np.void]:
        """Return the digest of each image: V16 [count]."""
        return np.concatenate([image_digests(batch) for batch in self.batches(1000)])

    def split_sha256(self) -> str:
        """Return the SHA-256 of the images and their labels (see `components.io.image_digests`)."""
        return split_sha256(self.digests(), self.labels)


def open_scaled(transformed: Stored[TransformedExamples], split: TransformedSplit) -> SplitImages:
    """Return the network's inputs of a split, whose rows are read when they are indexed."""
    if split.stores_inputs:
        files = [transformed.directory / shard.inputs for shard in split.shards if shard.inputs is not None]
        return SplitImages(FileArray(files), read_labels(transformed.directory, split))
    return _open_raw(transformed.directory, split, transformed.artifact.graph)


def read_scaled(transformed: Stored[TransformedExamples], split: TransformedSplit) -> ImageSplit[np.float32]:
    """Return the network's inputs of a whole split: float32 [count, height, width, channels], and int64 [count]."""
    images = open_scaled(transformed, split)
    return ImageSplit(images.read(0, len(images)), images.labels)


def iterate_scaled(
    transformed: Stored[TransformedExamples], split: TransformedSplit, *, rows: int
) -> Iterator[NDArray[np.float32]]:
    """Yield the network's inputs of a split in order, at most `rows` at a time."""
    return open_scaled(transformed, split).batches(rows)


def open_pictures(transformed: Stored[TransformedExamples], split: TransformedSplit) -> SplitImages:
    """Return the pictures of a split, whose rows are read when they are indexed."""
    return pictures_in(transformed.directory, split, transformed.artifact.graph)


def pictures_in(directory: Path, split: TransformedSplit, graph: tuple[GraphOperation, ...]) -> SplitImages:
    """Return the pictures of a split in a directory, given the transform graph."""
    return _open_raw(directory, split, picture_graph(graph))


def read_raw(transformed: Stored[TransformedExamples], split: TransformedSplit, rows: Rows) -> NDArray[np.uint8]:
    """Return the raw images in some rows: uint8 [rows, height, width], or [rows, height, width, 3] in color."""
    return _raw_files(transformed.directory, split)[rows]


def read_labels(directory: Path, split: TransformedSplit) -> NDArray[np.int64]:
    """Return the labels of a split: int64 [count]."""
    return np.concatenate([np.load(directory / shard.labels, allow_pickle=False) for shard in split.shards])


def _open_raw(directory: Path, split: TransformedSplit, graph: tuple[GraphOperation, ...]) -> SplitImages:
    return SplitImages(_raw_files(directory, split), read_labels(directory, split), graph)


def _raw_files(directory: Path, split: TransformedSplit) -> FileArray[np.uint8]:
    return FileArray([directory / shard.raw for shard in split.shards])
