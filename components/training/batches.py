"""Batches for training, in an order that is a function of the seed and the epoch alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.formats import ImageSplit

VALIDATION_BATCH = 1000


def training_batches(split: ImageSplit, *, batch_size: int, epochs: int, seed: int) -> Any:
    """Return every epoch's batches, one after the other, as one tf.data.Dataset.

    The order within epoch `e` is a stateless shuffle by (seed, e): it depends on nothing that
    happened before, so that an epoch can be gone through again.

    Args:
        split: scaled images, float32 [count, height, width, channels], and int64 labels.
        batch_size: images a batch; an epoch's last batch has what is left.
        epochs: how many epochs to lay out.
        seed: decides the order.
    """
    import tensorflow as tf

    images, labels = tf.constant(split.images), tf.constant(split.labels)
    rows = tf.range(len(split), dtype=tf.int64)

    def epoch_order(epoch: Any) -> Any:
        shuffled = tf.random.experimental.stateless_shuffle(rows, seed=tf.stack([tf.constant(seed, tf.int64), epoch]))
        return tf.data.Dataset.from_tensor_slices(shuffled).batch(batch_size)

    def gather(chosen: Any) -> tuple[Any, Any]:
        return tf.gather(images, chosen), tf.gather(labels, chosen)

    return tf.data.Dataset.range(epochs).flat_map(epoch_order).map(gather).prefetch(4)


def validation_batches(split: ImageSplit) -> Any:
    """Return a split once through, in its own order, as a tf.data.Dataset."""
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((split.images, split.labels)).batch(VALIDATION_BATCH).prefetch(2)
