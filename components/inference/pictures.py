"""Pictures: the images of a split as float32 from 0 to 1, before the operations of the transform."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.artifacts import GraphOperation, Stored, TransformedExamples, TransformedSplit
from components.inference.transform_graph import apply_numpy, invert_numpy, picture_graph
from components.io.image_digests import image_digests, split_sha256
from components.io.splits import iterate_rows

Rows = slice | list[int] | NDArray[np.int64]


@dataclass(frozen=True)
class Pictures:
    """The pictures of a split and their labels, row by row; a picture is read when it is indexed.

    >>> gray = np.array([[[0, 255]], [[255, 0]]], dtype=np.uint8)
    >>> pictures = Pictures(gray.astype(np.float32)[..., None] / 255, np.array([3, 7]))
    >>> pictures[1].tolist(), pictures[[0, 1]].shape
    ([[[1.0], [0.0]]], (2, 1, 2, 1))
    """

    stored: NDArray[Any]
    """[count, ...], usually a memory map."""
    labels: NDArray[np.int64]
    """[count]"""
    graph: tuple[GraphOperation, ...] = ()
    """Converts stored images to pictures."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: int | Rows) -> NDArray[np.float32]:
        """Return one picture, [height, width, channels], or several, [rows, height, width, channels]."""
        return apply_numpy(self.graph, self.stored[rows])

    def batches(self, rows: int) -> Iterator[NDArray[np.float32]]:
        """Return all pictures in order, at most `rows` at a time, as ordinary arrays."""
        return (apply_numpy(self.graph, stored) for stored in iterate_rows(self.stored, rows))

    def digests(self) -> NDArray[np.void]:
        """Return the digest of each picture: V16 [count]."""
        return np.concatenate([image_digests(batch) for batch in self.batches(1000)])

    def split_sha256(self) -> str:
        """Return the SHA-256 of the pictures and their labels (see `components.io.image_digests`)."""
        return split_sha256(self.digests(), self.labels)


def read_pictures(transformed: Stored[TransformedExamples], split: TransformedSplit) -> Pictures:
    """Memory-map the pictures of a split."""
    return open_pictures(transformed.directory, split, transformed.artifact.graph)


def open_pictures(directory: Path, split: TransformedSplit, graph: tuple[GraphOperation, ...]) -> Pictures:
    """Memory-map the pictures of a split in a directory."""
    labels = np.load(directory / split.labels, allow_pickle=False)
    if split.raw is None:
        return Pictures(_memory_map(directory / split.images), labels)
    return Pictures(_memory_map(directory / split.raw), labels, picture_graph(graph))


def read_raw(transformed: Stored[TransformedExamples], split: TransformedSplit, rows: Rows) -> NDArray[np.uint8]:
    """Return the raw images in some rows: uint8 [rows, height, width], or [rows, height, width, 3] in color.

    Raises:
        ValueError: if the transform graph does not convert raw images to the split's images.
    """
    if split.raw is None:
        return invert_numpy(transformed.artifact.graph, _memory_map(transformed.directory / split.images)[rows])
    return np.asarray(_memory_map(transformed.directory / split.raw)[rows])


def _memory_map(path: Path) -> NDArray[Any]:
    images: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return images
