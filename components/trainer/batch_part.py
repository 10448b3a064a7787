"""Batch part: the images of a batch that one replica trains on."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class BatchPart:
    """The rows of a batch that one replica trains on; the parts of all replicas make up the batch.

    Args:
        count: number of images in the batch, int32.
        replica: number of this replica, from 0.
        replicas: number of all replicas.

    Attributes:
        share: fraction of the images of the batch that the part has, float32.
    """

    def __init__(self, count: Any, *, replica: Any, replicas: int) -> None:
        begin, end = count * replica // replicas, count * (replica + 1) // replicas
        self.count = count
        self.images = end - begin
        self.share = tf.cast(self.images, tf.float32) / tf.cast(count, tf.float32)
        # An empty part takes one image with weight 0, because layers and losses need not support an empty batch.
        self._begin, self._end = begin, tf.maximum(end, begin + 1)

    def take(self, values: Any, *, rows_per_image: Any = 1) -> Any:
        """Return the rows of this part."""
        return values[self._begin * rows_per_image : self._end * rows_per_image]

    def own(self, values: Any) -> Any:
        """Return the values computed from the rows of `take`, without those of an image with weight 0."""
        return values[: self.images * self.rows_per_image(values)]

    def rows_per_image(self, values: Any) -> Any:
        """Return how many rows of such values belong to an image: several if a network made rows of its patches."""
        return tf.shape(values)[0] // (self._end - self._begin)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make this the part of a batch that `current_part` returns while the block runs."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


def rows_of_parts(rows: NDArray[np.int64], batch_size: int, replicas: range, *, of: int) -> NDArray[np.int64]:
    """Return the rows that some replicas train on.

    Args:
        rows: rows of all batches, in order.
        replicas: the numbers of consecutive replicas.
        of: number of all replicas.

    >>> rows_of_parts(np.arange(7), 4, range(1, 2), of=2).tolist()
    [2, 3, 5, 6]
    """
    kept = []
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        begins = [len(batch) * replica // of for replica in (replicas[0], replicas[-1])]
        kept.append(batch[begins[0] : max(len(batch) * replicas.stop // of, begins[-1] + 1)])
    return np.concatenate(kept)


_current: ContextVar[BatchPart | None] = ContextVar("batch part", default=None)


def current_part() -> BatchPart | None:
    """Return the part that the current step computes, or None on one device."""
    return _current.get()
