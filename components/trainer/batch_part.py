"""Batch part: the images of a batch that one replica trains on, with the dropout of the whole batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
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

    def take(self, values: Any) -> Any:
        """Return the rows of this part."""
        return values[self._begin : self._end]

    def own(self, values: Any) -> Any:
        """Return the values computed from the rows of `take`, without that of an image with weight 0."""
        return values[: self.images]

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make this the part of a batch in which `PartDropout` drops values while the block runs."""
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


class PartDropout(keras.layers.Dropout):  # type: ignore[misc]
    """Dropout that drops the same values of a batch on any number of replicas."""

    def call(self, inputs: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  (Keras's own signature)
        part = _current.get()
        if part is None or not training or self.rate == 0:
            return super().call(inputs, training=training)
        ones = tf.ones((part.count, *tf.unstack(tf.shape(inputs))[1:]), inputs.dtype)
        return inputs * part.take(super().call(ones, training=True))
