"""Cache of images on the training device, so that a training step receives row numbers instead of images."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.inference.split_images import SplitImages
from components.trainer.augmentation_function import AugmentationFunction
from components.trainer.config import TrainerConfig
from components.trainer.strategy import OneDevice

Positions = NDArray[np.int64]
PEAK_COPIES = 3
"""While rows are loaded they exist as an array, a tensor and the variable: loading 500 MB raised peak memory by
1,490 MB (TensorFlow 2.21)."""


def rows_within_budget(budget: int, train: SplitImages, validation: SplitImages) -> tuple[int, int]:
    """Divide a budget of bytes in proportion to the sizes of the splits; return rows of each, at least one."""
    row_bytes = PEAK_COPIES * int(np.prod(train.image_shape)) * np.dtype(np.float32).itemsize
    fraction = min(1.0, budget / (row_bytes * (len(train) + len(validation))))
    return max(1, int(fraction * len(train))), max(1, int(fraction * len(validation)))


class DeviceCache:
    """Rows of a split on the device: the whole split, or one block of it after another.

    The images are scaled, float32 [count, height, width, channels]; the labels are int64 [count].

    Args:
        own_rows: returns the rows that this process trains on, from the rows of all batches in order; by default, all.
            Only their images are loaded; for other rows, `gather` returns any of these images.
    """

    def __init__(self, split: SplitImages, own_rows: Callable[[Positions], Positions] | None = None) -> None:
        self.split = split
        self._own_rows = own_rows
        self._loaded = (-1, 0)
        shape = split.image_shape
        self._images = tf.Variable(np.zeros((0, *shape), np.float32), shape=(None, *shape), trainable=False)
        self._labels = tf.Variable(np.zeros(0, np.int64), shape=(None,), trainable=False)
        self._indices = tf.Variable(np.zeros(0, np.int64), shape=(None,), trainable=False)

    def load_rows(self, start: int, rows: int, *, order: Positions | None = None) -> None:
        """Load `rows` consecutive rows from `start`; the split's first row follows its last.

        `order` has the positions within these rows in the order of batches, by default 0, 1, 2 ...
        """
        if self._own_rows is None and self._loaded == (start, rows):
            return
        for variable in (self._images, self._labels, self._indices):  # free the previous rows first
            variable.assign(np.zeros((0, *variable.shape[1:]), variable.dtype.name))
        self._labels.assign(np.take(self.split.labels, np.arange(start, start + rows), mode="wrap"))
        if self._own_rows is None:
            end = min(start + rows, len(self.split))
            wrapped = start + rows - end
            images = self.split.read(start, end)
            self._images.assign(np.concatenate([images, self.split.read(0, wrapped)]) if wrapped else images)
        else:
            own = np.sort(self._own_rows(np.arange(rows) if order is None else order))
            self._images.assign(self.split.read_rows((start + own) % len(self.split)))
            indices = np.zeros(rows, np.int64)
            indices[own] = np.arange(len(own))
            self._indices.assign(indices)
        self._loaded = (start, rows)

    def load_in_blocks(self, max_rows: int) -> Iterator[int]:
        """Load the whole split block by block, and yield the number of rows of each block."""
        for start in range(0, len(self.split), max_rows):
            rows = min(max_rows, len(self.split) - start)
            self.load_rows(start, rows)
            yield rows

    def gather(self, rows: Any) -> tuple[Any, Any]:
        """Return the images and labels at an int64 tensor of positions within the loaded rows."""
        images = rows if self._own_rows is None else tf.gather(self._indices, rows)
        return tf.gather(self._images, images), tf.gather(self._labels, rows)


def open_cache(
    split: SplitImages, config: TrainerConfig, devices: OneDevice, *, max_rows: int, batch_size: int
) -> DeviceCache:
    """Return a cache of the images that this process trains on, or of all if they fit or a function augments them.

    Images that fit are loaded once: in each epoch, this worker trains on others of them. A function may mix images.
    """
    by_function = isinstance(config.augmentation, AugmentationFunction)
    if not devices.has_workers or len(split) <= max_rows or by_function:
        return DeviceCache(split)
    return DeviceCache(split, partial(devices.own_rows, batch_size=batch_size))
