"""Compile and fit a network, with early stopping and the best weights at the end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from components.artifacts import Epoch
from components.errors import ConfigError
from components.training.batches import TrainingBatches, validation_batches

if TYPE_CHECKING:
    import numpy as np

    from components.data.formats import ImageSplit
    from components.progress import Progress
    from components.training.config import TrainerConfig

REPORTS_AN_EPOCH = 10
"""Training steps run in the graph in about this many pieces an epoch; between them Python is heard."""


@dataclass(frozen=True)
class Fit:
    """What fitting gave, beside the weights that it left in the network."""

    history: tuple[Epoch, ...]
    best_epoch: int
    stopped_early: bool


def fit(
    network: Any,
    config: TrainerConfig,
    train: ImageSplit[np.float32],
    validation: ImageSplit[np.float32],
    progress: Progress,
) -> Fit:
    """Fit the network in place; it ends with the weights of its best epoch.

    Args:
        network: a keras model that is not yet compiled.
        config: how to train.
        train: scaled images, float32 [count, height, width, channels], and int64 labels.
        validation: the same; decides when to stop, and which epoch is best.
        progress: told after every piece of an epoch.

    Raises:
        ConfigError: if the loss does not stay finite.
    """
    batches = TrainingBatches(train, batch_size=config.batch_size, seed=config.seed)
    network.compile(
        optimizer=keras.optimizers.Adam(config.learning_rate.build(batches.steps * config.epochs)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        # Under "auto" Keras compiles with XLA, whose convolutions on a CPU take twice as long as TensorFlow's own.
        jit_compile=False,
        steps_per_execution=math.ceil(batches.steps / REPORTS_AN_EPOCH),
    )
    stopping = keras.callbacks.EarlyStopping(
        monitor=config.monitor, patience=config.patience, restore_best_weights=True
    )
    report = Report(progress, batches)
    network.fit(
        batches.dataset,
        validation_data=validation_batches(validation),
        epochs=config.epochs,
        shuffle=False,  # TrainingBatches did it
        callbacks=[stopping, report],
        verbose=0,
    )
    return Fit(
        history=tuple(report.history),
        best_epoch=stopping.best_epoch + 1,
        stopped_early=len(report.history) < config.epochs,
    )


class Report(keras.callbacks.Callback):  # type: ignore[misc]
    """Begins each epoch's batches, keeps the history as typed rows, and tells a Progress how it goes on."""

    def __init__(self, progress: Progress, batches: TrainingBatches) -> None:
        super().__init__()
        self.progress = progress
        self.batches = batches
        self.history: list[Epoch] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self.batches.begin_epoch(epoch + 1)
        self.progress.epoch_begin(epoch=epoch + 1, epochs=self.params["epochs"], steps=self.batches.steps)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        # Keras counts whole executions, also when the last one of an epoch is cut short.
        step = min(batch + 1, self.batches.steps)
        images = min(step * self.batches.batch_size, self.batches.images)
        self.progress.training_step(step=step, images=images, metrics=logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        if not math.isfinite(metrics["loss"]):
            raise ConfigError(
                f"training diverged: the loss of epoch {epoch + 1} is {metrics['loss']}",
                expected="a loss that stays finite",
                remedy="lower the learning rate (trainer.learning_rate)",
            )
        metrics["learning_rate"] = float(self.model.optimizer.learning_rate)
        self.history.append(Epoch(epoch=epoch + 1, **metrics))
        self.progress.epoch_end(metrics=metrics)
