"""Fit a network epoch by epoch, so that it can be put down after any step and taken up again."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from components.artifacts import Epoch
from components.errors import ConfigError, TerminationError
from components.training.batches import TrainingBatches, validation_batches
from components.training.checkpoint import Checkpoint, Checkpoints, NoCheckpoints
from components.training.state import best_weights, capture, restore
from components.training.stopping import EarlyStopping

if TYPE_CHECKING:
    import numpy as np

    from components.component import Context
    from components.data.formats import ImageSplit
    from components.training.checkpoint import Arrays
    from components.training.config import TrainerConfig

REPORTS_AN_EPOCH = 10
"""Training steps run in the graph in about this many pieces an epoch; between them Python is heard."""
LONGEST_PIECE = 32
"""Steps; so that a termination is heard soon where an epoch is long."""


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
    context: Context,
    *,
    machine: str = "",
) -> Fit:
    """Fit the network in place; it ends with the weights of its best epoch.

    Where the context has a place for checkpoints, and one of this training is there, fitting goes on
    from it and ends with the same weights, to the bit, as if it had never been interrupted.

    Args:
        network: a keras model that is not yet compiled.
        config: how to train.
        train: scaled images, float32 [count, height, width, channels], and int64 labels.
        validation: the same; decides when to stop, and which epoch is best.
        context: told after every piece of an epoch, and asked whether to end.
        machine: what it is trained on, as the checkpoints state it.

    Raises:
        TerminationError: if the job was asked to end; the progress is saved.
        ConfigError: if the loss does not stay finite.
        StorageError: if there is no space for a checkpoint.
    """
    training = Training(network, config, train, context, machine=machine)
    with context.termination.deferred():
        training.resume()
        training.run(validation_batches(validation))
    return training.result()


class Training:
    """One training: where it is, and how to go on.

    Attributes:
        epoch: the epoch that goes on, from 1.
        step: how many of its steps are done.
        history: one row an epoch that is done.
    """

    def __init__(
        self, network: Any, config: TrainerConfig, train: ImageSplit[np.float32], context: Context, *, machine: str
    ) -> None:
        self.network = network
        self.config = config
        self.context = context
        self.machine = machine
        self.epoch = 1
        self.step = 0
        self.history: list[Epoch] = []
        self.stopping = EarlyStopping(config.monitor, patience=config.patience)
        self.batches = TrainingBatches(
            train, batch_size=config.batch_size, seed=config.seed, augmentation=config.augmentation
        )
        self.checkpoints = (
            NoCheckpoints()
            if context.checkpoints is None
            else Checkpoints(context.checkpoints, guard=context.fingerprint)
        )
        self._unrestored: Arrays | None = None
        self._saved_at = time.monotonic()
        self._steps_since = 0
        self._skipped = 0
        piece = min(math.ceil(self.batches.steps / REPORTS_AN_EPOCH), LONGEST_PIECE)
        network.compile(
            optimizer=keras.optimizers.Adam(config.learning_rate.build(self.batches.steps * config.epochs)),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            # Under "auto" Keras compiles with XLA, whose convolutions on a CPU take twice as long as TensorFlow's own.
            jit_compile=False,
            steps_per_execution=min(piece, config.checkpoint.every_steps or piece),
        )

    @property
    def done(self) -> bool:
        """Whether there is nothing left to train."""
        return self.epoch > self.config.epochs or self.stopping.says_stop

    def resume(self) -> None:
        """Go to where the newest checkpoint is, if there is one."""
        if (found := self.checkpoints.newest(self.context.progress)) is None:
            return
        record, arrays = found
        if record.machine != self.machine:
            self.context.progress.warning(
                f"the checkpoint was made on {record.machine}, and training goes on on {self.machine}, "
                "which may round otherwise: the weights may not be the same to the bit"
            )
        self.epoch, self.step = record.epoch, record.step
        self.history = list(record.history)
        self.stopping.best, self.stopping.weights = record.best, best_weights(arrays)
        self._unrestored = arrays
        self.context.progress.resumed(epoch=self.epoch, step=self.step)

    def run(self, validation: Any) -> None:
        """Train until it is done: what is left of an epoch is a `fit()` of its own, the others are one together."""
        if self._unrestored is not None and not self.done:
            # Keras makes these variables when they are first used, and would not find them restored.
            self.network.optimizer.build(self.network.trainable_variables)
            self.network.evaluate(validation.take(1), verbose=0)
        while not self.done:
            self.network.fit(
                self.batches.dataset(skip=self.step),
                validation_data=validation,
                initial_epoch=self.epoch - 1,
                epochs=self.epoch if self.step else self.config.epochs,
                shuffle=False,  # TrainingBatches did it
                callbacks=[_Listener(self)],
                verbose=0,
            )

    def result(self) -> Fit:
        """Give the network the weights of its best epoch, and return how it went."""
        self.network.set_weights(self.stopping.weights)
        return Fit(
            history=tuple(self.history),
            best_epoch=self.stopping.best.epoch,
            stopped_early=len(self.history) < self.config.epochs,
        )

    def begin_epoch(self) -> None:
        """Order the batches, and restore what a checkpoint held, now that Keras has reset the metrics."""
        self.batches.begin_epoch(self.epoch)
        self._skipped = self.step
        if self._unrestored is not None:
            restore(self._unrestored, self.network)
            self._unrestored = None
        self.context.progress.epoch_begin(epoch=self.epoch, epochs=self.config.epochs, steps=self.batches.steps)

    def advance(self, steps: int, metrics: dict[str, float]) -> None:
        """Be `steps` steps further into the epoch than where it was begun; save that, and end, where it is time to."""
        # Keras counts whole executions, also when the last one of an epoch is cut short.
        step = min(self._skipped + steps, self.batches.steps)
        self._steps_since += step - self.step
        self.step = step
        seen = min(step * self.batches.batch_size, self.batches.images)
        images = seen - self._skipped * self.batches.batch_size
        self.context.progress.training_step(step=step, images=images, metrics=metrics)
        if step < self.batches.steps:  # an epoch's last step is saved with its validation
            self._save_if_due()

    def end_epoch(self, metrics: dict[str, float]) -> None:
        """Take down how the epoch went, and stand before the next one."""
        metrics["learning_rate"] = float(self.network.optimizer.learning_rate)
        if not all(map(math.isfinite, metrics.values())):
            raise ConfigError(
                f"training diverged: the loss of epoch {self.epoch} is {metrics['loss']}, "
                f"on validation {metrics['val_loss']}",
                expected="a loss that stays finite",
                remedy="lower the learning rate (trainer.learning_rate)",
            )
        row = Epoch(epoch=self.epoch, **metrics)
        self.history.append(row)
        self.stopping.epoch_end(row, self.network)
        self.epoch, self.step = self.epoch + 1, 0
        self.network.reset_metrics()  # they hold what validation added up
        self.context.progress.epoch_end(metrics=metrics)
        self._save_if_due()

    def _save_if_due(self) -> None:
        every = self.config.checkpoint
        ending = self.context.termination.requested
        if (
            ending
            or self.done
            or 0 < every.every_seconds <= time.monotonic() - self._saved_at
            or 0 < every.every_steps <= self._steps_since
        ):
            self._save()
        if ending:
            where = f"in epoch {self.epoch}, after step {self.step}" if self.step else f"after epoch {self.epoch - 1}"
            raise TerminationError(
                f"the job was asked to end, and did {where}",
                remedy="run the same command again: it goes on from there",
            )

    def _save(self) -> None:
        record = Checkpoint(
            epoch=self.epoch,
            step=self.step,
            done=self.done,
            history=tuple(self.history),
            best=self.stopping.best,
            machine=self.machine,
        )
        self.checkpoints.write(record, capture(self.network, self.stopping))
        self._saved_at, self._steps_since = time.monotonic(), 0


class _Listener(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells a Training what Keras does."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self.training.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.training.advance(batch + 1, logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self.training.end_epoch({name: float(value) for name, value in (logs or {}).items()})
        self.model.stop_training = self.training.done
