"""Images that lie where the network is trained, so that a step is given their places and not the images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from components.io.splits import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.io.splits import ImageSplit

COPIES = 3
"""While rows are brought to the device, they are in an array, in a tensor and in the variable: 500 MB of them were seen
to raise the highest memory by 1,490 (TensorFlow 2.21)."""


@dataclass(frozen=True)
class MostRows:
    """How many rows of each split can be held at once."""

    train: int
    validation: int


def most_rows(budget: int, train: ImageSplit[np.float32], validation: ImageSplit[np.float32]) -> MostRows:
    """Share out a budget of bytes over two splits by their sizes; each gets at least one row."""
    row = COPIES * int(np.prod(train.images.shape[1:])) * train.images.dtype.itemsize
    held = min(1.0, budget / (row * (len(train) + len(validation))))
    return MostRows(train=max(1, int(held * len(train))), validation=max(1, int(held * len(validation))))


class DeviceCache:
    """Rows of a split on the device: all that fit, or one block of them after another.

    Args:
        split: scaled images, float32 [count, height, width, channels], and int64 labels [count].
    """

    def __init__(self, split: ImageSplit[np.float32]) -> None:
        self.split = split
        self.held = (-1, 0)
        shape = split.images.shape[1:]
        self._images = tf.Variable(np.zeros((0, *shape), np.float32), shape=(None, *shape), trainable=False)
        self._labels = tf.Variable(np.zeros(0, np.int64), shape=(None,), trainable=False)

    def load_rows(self, start: int, rows: int) -> None:
        """Have so many rows from `start` on the device; after the last row of the split comes its first."""
        if self.held == (start, rows):
            return
        end = min(start + rows, len(self.split))
        rest = rows - (end - start)
        for variable, array in ((self._images, self.split.images), (self._labels, self.split.labels)):
            variable.assign(array[:0])  # what was there goes before more is read
            read = read_rows(array, start, end)
            variable.assign(np.concatenate([read, read_rows(array, 0, rest)]) if rest else read)
        self.held = (start, rows)

    def hold_in_turn(self, most: int) -> Iterator[int]:
        """Hold the whole split block by block, at most so many rows at a time, and yield how many are held."""
        for start in range(0, len(self.split), most):
            rows = min(most, len(self.split) - start)
            self.load_rows(start, rows)
            yield rows

    def take(self, rows: Any) -> tuple[Any, Any]:
        """Return the images and labels at an int64 tensor of places in what is held."""
        return tf.gather(self._images, rows), tf.gather(self._labels, rows)
