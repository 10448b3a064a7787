"""Fit a network epoch by epoch, so that it can be put down after any step and taken up again."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import keras

from components.artifacts import Epoch
from components.base.errors import ConfigError, TerminationError
from components.trainer.batches import training_batches, validation_batches
from components.trainer.checkpoint import Checkpoint
from components.trainer.checkpoint_policy import CheckpointPolicy
from components.trainer.device_cache import DeviceCache, most_rows
from components.trainer.early_stopping import EarlyStopping
from components.trainer.shuffle import Block, EpochOrder
from components.trainer.train_step import Classifier
from components.trainer.training_state import best_weights, capture, restore

if TYPE_CHECKING:
    import numpy as np

    from components.base.component import Context
    from components.io.splits import ImageSplit
    from components.trainer.checkpoint import Arrays
    from components.trainer.config import TrainerConfig

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
    xla: bool = False,
) -> Fit:
    """Fit the network in place; it ends with the weights of its best epoch.

    Where the context has a place for checkpoints, and one of this training is there, fitting goes on
    from it and ends with the same weights, to the bit, as if it had never been interrupted.

    Args:
        network: a built keras model from images to probabilities.
        config: how to train.
        train: scaled images, float32 [count, height, width, channels], and int64 labels.
        validation: the same; decides when to stop, and which epoch is best.
        context: told after every piece of an epoch, and asked whether to end.
        machine: what it is trained on, as the checkpoints state it.
        xla: whether XLA compiles the training step.

    Raises:
        TerminationError: if the job was asked to end; the progress is saved.
        ConfigError: if the loss does not stay finite.
        StorageError: if there is no space for a checkpoint.
    """
    training = TrainingLoop(network, config, train, validation, context, machine=machine, xla=xla)
    with context.termination.deferred():
        training.resume()
        training.run()
    return training.result()


class TrainingLoop:
    """One training: where it is, and how to go on.

    Attributes:
        epoch: the epoch that goes on, from 1.
        step: how many of its steps are done.
        history: one row an epoch that is done.
    """

    def __init__(
        self,
        network: Any,
        config: TrainerConfig,
        train: ImageSplit[np.float32],
        validation: ImageSplit[np.float32],
        context: Context,
        *,
        machine: str,
        xla: bool,
    ) -> None:
        self.network = network
        self.config = config
        self.context = context
        self.machine = machine
        self.epoch = 1
        self.step = 0
        self.history: list[Epoch] = []
        self.stopping = EarlyStopping(config.monitor, patience=config.patience)
        self.saving = CheckpointPolicy(config.checkpoint, context)
        self._unrestored: Arrays | None = None
        self._sums: list[Any] = []
        """What the metrics have added up in the blocks of the epoch that are done."""
        rows = most_rows(config.memory_budget, train, validation)
        self.order = EpochOrder(images=len(train), batch_size=config.batch_size, most_rows=rows.train, seed=config.seed)
        self.train = DeviceCache(train)
        self.validation = DeviceCache(validation)
        self._validation_rows = rows.validation
        self.classifier = Classifier(
            network,
            config,
            train=self.train,
            validation=self.validation,
            first_clean_step=self.order.steps * (config.epochs - config.augmentation.clean_epochs),
            xla=xla,
        )
        piece = min(math.ceil(self.order.steps / REPORTS_AN_EPOCH), LONGEST_PIECE)
        self.classifier.compile(
            optimizer=config.optimizer.build(config.learning_rate.build(self.order.steps * config.epochs)),
            jit_compile=False,  # XLA has no operation that warps images: the classifier compiles what comes after
            steps_per_execution=min(piece, config.checkpoint.every_steps or piece),
        )
        # Keras makes these variables when they are first used, and would not find them restored.
        self.classifier.optimizer.build(self.classifier.trainable_variables)

    @property
    def done(self) -> bool:
        """Whether there is nothing left to train."""
        return self.epoch > self.config.epochs or self.stopping.should_stop

    def resume(self) -> None:
        """Go to where the newest checkpoint is, if there is one."""
        if (found := self.saving.newest()) is None:
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
        self.context.progress.resumed(epoch=self.epoch, step=self.step, history=self.history)

    def run(self) -> None:
        """Train until it is done."""
        while not self.done:
            self._train_epoch()

    def result(self) -> Fit:
        """Give the network the weights of its best epoch, and return how it went."""
        self.network.set_weights(self.stopping.weights)
        return Fit(
            history=tuple(self.history),
            best_epoch=self.stopping.best.epoch,
            stopped_early=len(self.history) < self.config.epochs,
        )

    def _train_epoch(self) -> None:
        """Train what is left of an epoch: each block, or what is left of it, is a `fit()` of its own."""
        self.context.progress.epoch_begin(epoch=self.epoch, epochs=self.config.epochs, steps=self.order.steps)
        begun_at, metrics = self.step, {}
        self._keep_sums()
        while self.step < self.order.steps:
            block = self.order.block(self.epoch, self.step)
            self.train.load_rows(block.start, block.rows)
            fitted = self.classifier.fit(
                training_batches(
                    self.order.rows(self.epoch, block)[(self.step - block.first_step) * self.order.batch_size :],
                    batch_size=self.order.batch_size,
                    first_step=(self.epoch - 1) * self.order.steps + self.step,
                ),
                shuffle=False,  # the rows are in the epoch's order
                callbacks=[_Listener(self, block, begun_at)],
                verbose=0,
            )
            self._keep_sums()
            metrics = {name: float(values[-1]) for name, values in fitted.history.items()}
        self._end_epoch(metrics)

    def begin_fit(self) -> None:
        """Put back what a checkpoint, or the epoch's earlier blocks, hold: Keras has reset the metrics."""
        if self._unrestored is not None:
            restore(self._unrestored, self.classifier)
            self._unrestored = None
        else:
            for variable, value in zip(self.classifier.metrics_variables, self._sums, strict=True):
                variable.assign(value)

    def advance(self, step: int, images: int, metrics: dict[str, float]) -> None:
        """Be at a step of the epoch, with so many images behind; save that, and end, where it is time to."""
        self.saving.steps_since += step - self.step
        self.step = step
        self.context.progress.training_step(step=step, images=images, metrics=metrics)
        # An epoch's last step is saved with its validation.
        if step < self.order.steps and self._save_if_due():
            self._leave()

    def _keep_sums(self) -> None:
        self._sums = [variable.numpy() for variable in self.classifier.metrics_variables]

    def _end_epoch(self, metrics: dict[str, float]) -> None:
        """Validate, take down how the epoch went, and stand before the next one."""
        metrics |= {f"val_{name}": value for name, value in self._validate().items()}
        metrics["learning_rate"] = float(self.classifier.optimizer.learning_rate)
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
        self.classifier.reset_metrics()  # they hold what validation added up
        ending = self._save_if_due()  # before it is told: who listens may take long, and may be killed meanwhile
        self.context.progress.epoch_end(metrics=metrics)
        if ending:
            self._leave()

    def _validate(self) -> dict[str, float]:
        """Return the means over the validation split, which may be held block by block."""
        totals: Counter[str] = Counter()
        for rows in self.validation.hold_in_turn(self._validation_rows):
            means = self.classifier.evaluate(validation_batches(rows), verbose=0, return_dict=True)
            totals.update({name: mean * rows for name, mean in means.items()})
        return {name: total / len(self.validation.split) for name, total in totals.items()}

    def _save_if_due(self) -> bool:
        """Save where it is time to; return whether that was because the job was asked to end."""
        ending = self.context.termination.requested
        if ending or self.done or self.saving.is_due:
            record = Checkpoint(
                epoch=self.epoch,
                step=self.step,
                done=self.done,
                history=tuple(self.history),
                best=self.stopping.best,
                machine=self.machine,
            )
            self.saving.save(record, capture(self.classifier, self.stopping))
        return ending

    def _leave(self) -> NoReturn:
        where = f"in epoch {self.epoch}, after step {self.step}" if self.step else f"after epoch {self.epoch - 1}"
        raise TerminationError(
            f"the job was asked to end, and did {where}",
            remedy="run the same command again: it goes on from there",
        )


class _Listener(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells a Training what Keras does.

    Args:
        training: whom to tell.
        block: what is fitted.
        begun_at: the step of the epoch at which this attempt began.
    """

    def __init__(self, training: TrainingLoop, block: Block, begun_at: int) -> None:
        super().__init__()
        self.training, self.block = training, block
        self.begun_at, self.first_step = begun_at, training.step

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self.training.begin_fit()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        # Keras counts whole executions, also when the last one is cut short.
        step = min(self.first_step + batch + 1, self.block.end_step)
        order = self.training.order
        images = min(step * order.batch_size, order.images) - self.begun_at * order.batch_size
        self.training.advance(step, images, logs or {})
