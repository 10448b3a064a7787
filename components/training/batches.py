"""Batches for training, in an order that is a function of the seed and the epoch alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from components.data.formats import ImageSplit

VALIDATION_BATCH = 1000


class TrainingBatches:
    """The batches of one epoch, in the order of the epoch that was last begun.

    The order within an epoch is a stateless shuffle by (seed, epoch): it depends on nothing
    that happened before, so that an epoch can be gone through again.

    Args:
        split: scaled images, float32 [count, height, width, channels], and int64 labels.
        batch_size: images a batch; an epoch's last batch has what is left.
        seed: decides the order.
    """

    def __init__(self, split: ImageSplit[np.float32], *, batch_size: int, seed: int) -> None:
        import tensorflow as tf

        self.images = len(split)
        self.batch_size = batch_size
        self.steps = math.ceil(len(split) / batch_size)
        # The input pipeline runs on the CPU, and reads the epoch anew whenever it is gone through.
        with tf.device("CPU"):
            self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
            images, labels = tf.constant(split.images), tf.constant(split.labels)
            rows = tf.range(len(split), dtype=tf.int64)

        def epoch_order(_: Any) -> Any:
            shuffled = tf.random.experimental.stateless_shuffle(rows, seed=tf.stack([seed, self._epoch]))
            return tf.data.Dataset.from_tensor_slices(shuffled)

        def gather(chosen: Any) -> tuple[Any, Any]:
            return tf.gather(images, chosen), tf.gather(labels, chosen)

        self.dataset = (
            tf.data.Dataset.range(1)
            .flat_map(epoch_order)
            .batch(batch_size)
            .apply(tf.data.experimental.assert_cardinality(self.steps))
            .map(gather)
            .prefetch(4)
            .with_options(_without_autotuning())
        )

    def begin_epoch(self, epoch: int) -> None:
        """Order the batches for `epoch`, from 1."""
        self._epoch.assign(epoch)


def validation_batches(split: ImageSplit[np.float32]) -> Any:
    """Return a split once through, in its own order, as a tf.data.Dataset."""
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices((split.images, split.labels)).batch(VALIDATION_BATCH).prefetch(2)
    return dataset.with_options(_without_autotuning())


def _without_autotuning() -> Any:
    """Return options that spare an epoch its tuning thread.

    There is nothing to tune here, and an iterator waits for that thread to wake before it goes: seen to
    take 8 of the 21 seconds of an epoch, idle (TensorFlow 2.21).
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return options
