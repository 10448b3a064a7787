"""Pictures: the images of a split as float32 from 0 to 1, also where the network's input is something else."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.artifacts import GraphOperation, Stored, TransformedExamples, TransformedSplit
from components.inference.transform_graph import apply_numpy, invert_numpy, picture_graph
from components.io.splits import read_rows

Rows = slice | list[int] | NDArray[np.int64]


@dataclass(frozen=True)
class Pictures:
    """The pictures of a split and their labels, row by row; a picture is read when it is indexed.

    >>> grey = np.array([[[0, 255]], [[255, 0]]], dtype=np.uint8)
    >>> pictures = Pictures(grey.astype(np.float32)[..., None] / 255, np.array([3, 7]))
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
        """Yield all pictures in order, at most `rows` at a time, as ordinary arrays."""
        for first in range(0, len(self), rows):
            yield apply_numpy(self.graph, read_rows(self.stored, first, min(first + rows, len(self))))


def read_pictures(transformed: Stored[TransformedExamples], split: TransformedSplit) -> Pictures:
    """Memory-map the pictures of a split."""
    labels = np.load(transformed.directory / split.labels, allow_pickle=False)
    if split.raw is None:
        return Pictures(_memory_map(transformed, split.images), labels)
    return Pictures(_memory_map(transformed, split.raw), labels, picture_graph(transformed.artifact.graph))


def read_raw(transformed: Stored[TransformedExamples], split: TransformedSplit, rows: Rows) -> NDArray[np.uint8]:
    """Return the raw images in some rows: uint8 [rows, height, width], or [rows, height, width, 3] in colour.

    Raises:
        ValueError: if the transform graph does not convert raw images to the split's images.
    """
    images = _memory_map(transformed, split.images)[rows]
    if split.raw is None:
        return invert_numpy(transformed.artifact.graph, images)
    return np.asarray(_memory_map(transformed, split.raw)[rows])


def _memory_map(transformed: Stored[TransformedExamples], name: str) -> NDArray[Any]:
    images: NDArray[Any] = np.load(transformed.directory / name, mmap_mode="r", allow_pickle=False)
    return images
