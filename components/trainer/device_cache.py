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
IMAGES_SHARE = 0.5
"""Share of the memory budget for loaded images. With 1 GB, they take 500 MB; labels, batches and TensorFlow's buffers
for training took another 150 MB (2.1 million images of 28x28, TensorFlow 2.21)."""
CHUNK_BYTES = 2**22
"""Size of the images that are read, converted and written to the device at a time."""


def rows_within_budget(budget: int, train: SplitImages, validation: SplitImages) -> tuple[int, int]:
    """Divide a budget of bytes in proportion to the sizes of the splits; return rows of each, at least one."""
    fraction = min(1.0, IMAGES_SHARE * budget / (row_bytes(train) * (len(train) + len(validation))))
    return max(1, int(fraction * len(train))), max(1, int(fraction * len(validation)))


def row_bytes(split: SplitImages) -> int:
    """Return the size of a loaded image in bytes."""
    return int(np.prod(split.image_shape)) * np.dtype(np.float32).itemsize


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
        self._loaded = (-1, 0)  # until all images are loaded: an error leaves some of the previous ones
        self._labels.assign(np.take(self.split.labels, np.arange(start, start + rows), mode="wrap"))
        if self._own_rows is None:
            self._load_images(rows, lambda first, last: self._read(start + first, start + last))
        else:
            own = np.sort(self._own_rows(np.arange(rows) if order is None else order))
            loaded = (start + own) % len(self.split)
            self._load_images(len(own), lambda first, last: self.split.read_rows(loaded[first:last]))
            indices = np.zeros(rows, np.int64)
            indices[own] = np.arange(len(own))
            self._indices.assign(indices)
        self._loaded = (start, rows)

    def _read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the images from row `start` to `stop` (exclusive); the split's first row follows its last."""
        count = len(self.split)
        if start < count < stop:
            return np.concatenate([self.split.read(start, count), self.split.read(0, stop - count)])
        return self.split.read(start % count, (stop - 1) % count + 1)

    def _load_images(self, count: int, read: Callable[[int, int], NDArray[np.float32]]) -> None:
        """Load `count` images; `read` returns those from one position to another."""
        # Assigning an array takes three times its memory: array, tensor and variable. `InplaceUpdate` writes to its
        # input, whose memory is that of the variable. Assigning to slices of the variable took five times as long.
        chunk_rows = max(1, CHUNK_BYTES // row_bytes(self.split))
        with tf.device(self._images.device):
            images = self._reserve(count)
            for first in range(0, count, chunk_rows):
                last = min(first + chunk_rows, count)
                positions = np.arange(first, last, dtype=np.int32)
                images = tf.raw_ops.InplaceUpdate(x=images, i=positions, v=read(first, last))

    def _reserve(self, count: int) -> Any:
        """Return the tensor of the images, with at least `count` rows; new images overwrite the previous ones."""
        # TensorFlow's allocator for oneDNN keeps freed memory and gives a part of it to the next small tensor: a new
        # tensor for each block would not fit into the memory of the previous one.
        if len(self._images.read_value()) < count:
            self._images.assign(np.zeros((0, *self._images.shape[1:]), np.float32))
            self._images.assign(tf.raw_ops.Empty(shape=(count, *self._images.shape[1:]), dtype=self._images.dtype))
        return self._images.read_value()

    def load_in_blocks(self, max_rows: int) -> Iterator[int]:
        """Load the whole split block by block, and yield the number of rows of each block."""
        for start in range(0, len(self.split), max_rows):
            rows = min(max_rows, len(self.split) - start)
            self.load_rows(start, rows)
            yield rows

    def gather(self, rows: Any) -> tuple[Any, Any]:
        """Return the images and labels at an int64 tensor of positions within the loaded rows."""
        images = rows if self._own_rows is None else tf.gather(self._indices, rows)
        # After a gather from the variable itself, TensorFlow copies every tensor that is assigned to it.
        return tf.gather(self._images.read_value(), images), tf.gather(self._labels, rows)


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
