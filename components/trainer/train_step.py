"""The network as Keras fits it: a step is given the places of images that lie on its device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from components.trainer.augmentation import STREAM, augment

if TYPE_CHECKING:
    from components.trainer.config import TrainerConfig
    from components.trainer.device_cache import DeviceCache


class Classifier(keras.Model):  # type: ignore[misc]
    """A network, with what one step of its training and of its validation does.

    A training step takes its number, counted over all epochs, and the rows of its images; it changes the
    images at random, by that number, and learns. A validation step takes rows. Cross-entropy is the loss,
    for training with smoothed labels; the loss of validation is without smoothing, so that it stays comparable.

    Args:
        network: a built keras model from images to probabilities.
        config: how to train.
        train: what is trained on.
        validation: what is validated on.
        first_clean_step: from this step on images are left as they are.
        xla: whether XLA compiles what a training step does with its images.
    """

    def __init__(
        self,
        network: Any,
        config: TrainerConfig,
        *,
        train: DeviceCache,
        validation: DeviceCache,
        first_clean_step: int,
        xla: bool,
    ) -> None:
        super().__init__(name="classifier", dtype=network.dtype_policy)
        self.network = network
        self.augmentation = config.augmentation
        self.random_seed = config.seed
        self.smoothing = config.label_smoothing
        self.train_images, self.validation_images = train, validation
        self.first_clean_step = first_clean_step
        self.loss_mean = keras.metrics.Mean(name="loss")
        self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        self._learn = tf.function(self._learn_eagerly, jit_compile=True) if xla else self._learn_eagerly
        self.build((None, *network.input_shape[1:]))

    def build(self, input_shape: Any) -> None:  # noqa: ARG002  (the network is built)
        self.built = True

    def call(self, images: Any, training: bool | None = None) -> Any:  # noqa: FBT001  (Keras's own signature)
        return self.network(images, training=training)

    def train_step(self, step_and_rows: tuple[Any, Any]) -> dict[str, Any]:
        step, rows = step_and_rows
        images, labels = self.train_images.take(rows)
        if not self.augmentation.changes_nothing:
            images = tf.cond(
                step < self.first_clean_step,
                lambda: augment(self.augmentation, images, seed=tf.stack([self.random_seed ^ STREAM, step])),
                lambda: images,
            )
        loss, probabilities = self._learn(images, labels)
        return self._measure(labels, probabilities, loss)

    def test_step(self, rows: Any) -> dict[str, Any]:
        images, labels = self.validation_images.take(rows)
        probabilities = self(images, training=False)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, probabilities))
        return self._measure(labels, probabilities, loss)

    def _learn_eagerly(self, images: Any, labels: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            probabilities = self(images, training=True)
            loss = tf.reduce_mean(self._cross_entropy(labels, probabilities))
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return loss, probabilities

    def _cross_entropy(self, labels: Any, probabilities: Any) -> Any:
        if not self.smoothing:
            return keras.losses.sparse_categorical_crossentropy(labels, probabilities)
        targets = tf.one_hot(labels, probabilities.shape[-1])
        return keras.losses.categorical_crossentropy(targets, probabilities, label_smoothing=self.smoothing)

    def _measure(self, labels: Any, probabilities: Any, loss: Any) -> dict[str, Any]:
        self.loss_mean.update_state(loss, sample_weight=tf.shape(labels)[0])
        self.accuracy.update_state(labels, probabilities)
        result: dict[str, Any] = self.get_metrics_result()
        return result
