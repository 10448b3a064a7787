"""Training and validation steps: a Keras model around the network, and the batches that it takes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from components.trainer.augmentation_function import AugmentationFunction, augment_batch
from components.trainer.batch_part import BatchPart
from components.trainer.config import TrainerConfig
from components.trainer.device_cache import DeviceCache
from components.trainer.strategy import ONE_DEVICE, OneDevice, Replicas, apply_sum
from components.trainer.strided_convolution import slice_before_strided_convolutions


class Classifier(keras.Model):  # type: ignore[misc]
    """A network with its training step and its validation step.

    A training step takes its number, counted over all epochs, and the rows of its images. It augments the images, with
    random numbers that depend on the step's number, and updates the weights. A validation step takes rows. The loss is
    `trainer.loss`, or cross-entropy: with smoothed labels in training, without in validation, so that validation losses
    are comparable.

    Args:
        network: a built keras model from images to probabilities.
        first_clean_step: the first step without augmentation.
        xla: whether XLA compiles what follows augmentation; ignored on replicas.
        devices: those on which the network was created.
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
        devices: OneDevice = ONE_DEVICE,
    ) -> None:
        super().__init__(name="classifier", dtype=network.dtype_policy)
        slice_before_strided_convolutions(network)
        self.network = network
        self.augmentation = config.augmentation
        self.random_seed = config.seed
        self.smoothing = config.label_smoothing
        self.selected_loss = None if config.loss is None else config.loss.create()
        self.train_images, self.validation_images = train, validation
        self.first_clean_step = first_clean_step
        self.loss_mean = keras.metrics.Mean(name="loss")
        self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        self._update_weights = tf.function(self._learn, jit_compile=True) if xla else self._learn
        self._predict: Callable[..., Any] = self._predict_all
        if isinstance(devices, Replicas):
            if self.selected_loss is not None:
                # Keras divides the mean by the number of replicas, but `_learn_part` needs the mean of its part.
                self.selected_loss.reduction = "none"
            self._update_weights = partial(devices.run_on_parts, self._learn_part)
            self._predict = partial(devices.run_on_parts, self._predict_part)
        self.build((None, *network.input_shape[1:]))

    def build(self, input_shape: Any) -> None:  # noqa: ARG002  (the network is built)
        self.built = True

    def call(self, images: Any, training: bool | None = None) -> Any:  # noqa: FBT001  (Keras's own signature)
        return self.network(images, training=training)

    def reset_metrics(self) -> None:
        """Do nothing: Keras calls it in every `fit()`, but an epoch may have several (see `clear_metrics`)."""

    def clear_metrics(self) -> None:
        """Set the running means to zero."""
        super().reset_metrics()

    def train_step(self, step_and_rows: tuple[Any, Any]) -> dict[str, Any]:
        step, rows = step_and_rows
        images, labels = self.train_images.gather(rows)
        if not self.augmentation.is_identity:
            classes, by_function = self.network.output_shape[-1], isinstance(self.augmentation, AugmentationFunction)
            settings = {"classes": classes, "seed": self.random_seed, "step": step}
            images, labels = tf.cond(
                step < self.first_clean_step,
                lambda: augment_batch(self.augmentation, images, labels, **settings),
                lambda: (images, tf.one_hot(labels, classes) if by_function else labels),
            )
        loss, probabilities = self._update_weights(images, labels)
        return self._update_metrics(labels, probabilities, loss)

    def test_step(self, rows: Any) -> dict[str, Any]:
        images, labels = self.validation_images.gather(rows)
        loss, probabilities = self._predict(images, labels)
        return self._update_metrics(labels, probabilities, loss)

    def _learn(self, images: Any, labels: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            probabilities = self(images, training=True)
            loss = self._loss(labels, probabilities, smoothing=self.smoothing)
            scaled = self.optimizer.scale_loss(loss)
        self.optimizer.apply(tape.gradient(scaled, self.trainable_variables), self.trainable_variables)
        return loss, probabilities

    def _predict_all(self, images: Any, labels: Any) -> tuple[Any, Any]:
        probabilities = self(images, training=False)
        return self._loss(labels, probabilities, smoothing=0.0), probabilities

    def _learn_part(self, images: Any, labels: Any, part: BatchPart) -> tuple[Any, Any]:
        """Learn from the part of this replica; gradients and losses of all parts add up to those of the batch."""
        with tf.GradientTape() as tape:
            probabilities = self(images, training=True)
            loss = part.share * tf.reduce_mean(self._loss(labels, probabilities, smoothing=self.smoothing))
        gradients = tape.gradient(loss, self.trainable_variables)
        apply_sum(self.optimizer, gradients, self.trainable_variables)
        return loss, probabilities

    def _predict_part(self, images: Any, labels: Any, part: BatchPart) -> tuple[Any, Any]:
        probabilities = self(images, training=False)
        return part.share * tf.reduce_mean(self._loss(labels, probabilities, smoothing=0.0)), probabilities

    def _loss(self, labels: Any, probabilities: Any, *, smoothing: float) -> Any:
        are_probabilities = labels.shape.rank == 2
        if self.selected_loss is None and not smoothing and not are_probabilities:
            return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, probabilities))
        targets = labels if are_probabilities else tf.one_hot(labels, probabilities.shape[-1])
        if self.selected_loss is not None:
            return self.selected_loss(targets, probabilities)
        losses = keras.losses.categorical_crossentropy(targets, probabilities, label_smoothing=smoothing)
        return tf.reduce_mean(losses)

    def _update_metrics(self, labels: Any, probabilities: Any, loss: Any) -> dict[str, Any]:
        self.loss_mean.update_state(loss, sample_weight=tf.shape(labels)[0])
        self.accuracy.update_state(tf.argmax(labels, axis=1) if labels.shape.rank == 2 else labels, probabilities)
        result: dict[str, Any] = self.get_metrics_result()
        return result


def batch_rows(rows: Any, batch_size: int) -> Any:
    """Return a tf.data.Dataset of int64 rows in batches; the last one may be smaller."""
    options = tf.data.Options()
    # There is nothing to tune, and a dropped iterator waits until the tuning thread wakes up: this took 8 of the
    # 21 seconds of an epoch, idle (TensorFlow 2.21).
    options.autotune.enabled = False
    return tf.data.Dataset.from_tensor_slices(rows).batch(batch_size).with_options(options)
