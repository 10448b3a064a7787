"""Batches for training, a function of the seed, the epoch and the step alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from components.training.augmentation import STREAM, augment

if TYPE_CHECKING:
    import numpy as np

    from components.data.formats import ImageSplit
    from components.training.augmentation import AugmentationConfig

VALIDATION_BATCH = 1000


class TrainingBatches:
    """The batches of every epoch, in an order and with changes that depend on nothing before them.

    The order within an epoch is a stateless shuffle by (seed, epoch), and the changes of a batch
    are drawn by (seed, epoch, step): an epoch can be gone through again, or from its middle.

    Args:
        split: scaled images, float32 [count, height, width, channels], and int64 labels.
        batch_size: images a batch; an epoch's last batch has what is left.
        seed: decides order and changes.
        augmentation: how far images are changed.
    """

    def __init__(
        self, split: ImageSplit[np.float32], *, batch_size: int, seed: int, augmentation: AugmentationConfig
    ) -> None:
        import tensorflow as tf

        self.images = len(split)
        self.batch_size = batch_size
        self.steps = math.ceil(len(split) / batch_size)
        self.seed = seed
        self.augmentation = augmentation
        # The input pipeline runs on the CPU.
        with tf.device("CPU"):
            self._epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._tensors = tf.constant(split.images), tf.constant(split.labels)
        self._whole = self._batches(skip=0)

    def begin_epoch(self, epoch: int) -> None:
        """Have datasets give the batches of `epoch`, from 1, when they are gone through next."""
        self._epoch.assign(epoch)

    def dataset(self, *, skip: int = 0) -> Any:
        """Return the batches of the epoch that was begun, as a tf.data.Dataset, without the first `skip` of them."""
        return self._batches(skip=skip) if skip else self._whole

    def _batches(self, *, skip: int) -> Any:
        import tensorflow as tf

        images, labels = self._tensors

        def epoch_order(_: Any) -> Any:
            rows = tf.range(self.images, dtype=tf.int64)
            shuffled = tf.random.experimental.stateless_shuffle(rows, seed=tf.stack([self.seed, self._epoch]))
            return tf.data.Dataset.from_tensor_slices(shuffled[skip * self.batch_size :])

        def batch(step: Any, chosen: Any) -> tuple[Any, Any]:
            gathered = tf.gather(images, chosen)
            if not self.augmentation.changes_nothing:
                seed = tf.random.fold_in(tf.stack([self.seed ^ STREAM, self._epoch]), step)
                gathered = augment(self.augmentation, gathered, seed=seed)
            return gathered, tf.gather(labels, chosen)

        return (
            tf.data.Dataset.range(1)
            .flat_map(epoch_order)
            .batch(self.batch_size)
            .apply(tf.data.experimental.assert_cardinality(self.steps - skip))
            .enumerate(start=skip)
            .map(batch)
            .prefetch(4)
            .with_options(_without_autotuning())
        )


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
