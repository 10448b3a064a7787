"""Training loop: fit a network epoch by epoch, so that training can stop after any step and resume there."""

import math
import time
from collections import Counter
from typing import Any, NoReturn

import keras
import tensorflow as tf

from components.artifacts import Epoch
from components.base.component import Context
from components.base.errors import SAVED, ConfigError, TerminationError
from components.base.termination import Paused
from components.inference.split_images import SplitImages
from components.trainer.checkpoint import Checkpoint, CheckpointStore, capture_state, open_checkpoints, restore_state
from components.trainer.config import TrainerConfig
from components.trainer.device_cache import open_cache, rows_within_budget
from components.trainer.early_stopping import EarlyStopping
from components.trainer.shuffle import Block, EpochOrder
from components.trainer.step_history import StepHistory
from components.trainer.strategy import ONE_DEVICE, OneDevice
from components.trainer.train_step import Classifier, batch_rows

GROUPS_PER_EPOCH = 10
"""Training steps run in the graph in about this many groups per epoch; Python code runs only between them."""
MAX_STEPS_PER_GROUP = 32
"""So that a long epoch, too, notices a termination request soon."""
VALIDATION_BATCH_SIZE = 500


class TrainingLoop:
    """Trains a network in place, and resumes from the newest checkpoint of the same training.

    A resumed training ends with the same weights, to the bit, as one that was never interrupted.

    Args:
        network: a built keras model from images to probabilities.
        train: scaled images, float32 [count, height, width, channels], and int64 labels.
        validation: the same; decides when to stop, and which epoch is best.
        machine: the hardware, recorded in checkpoints.
        xla: whether XLA compiles the training step.
        devices: those on which the network was created.
        checkpoints: where training saves and resumes; by default, those of the context.

    Attributes:
        epoch: the epoch in progress, from 1.
        step: steps of it that are done.
        history: one row per finished epoch.
        step_history: one row per group of steps.
    """

    def __init__(
        self,
        network: Any,
        config: TrainerConfig,
        train: SplitImages,
        validation: SplitImages,
        context: Context,
        *,
        machine: str = "",
        xla: bool = False,
        devices: OneDevice = ONE_DEVICE,
        checkpoints: CheckpointStore | None = None,
    ) -> None:
        self.network = network
        self.config = config
        self.context = context
        self.machine = machine
        self.devices = devices
        self.epoch = 1
        self.step = 0
        self.history: list[Epoch] = []
        self.stopping = EarlyStopping(config.monitor, patience=config.patience)
        self.checkpoints = open_checkpoints(context) if checkpoints is None else checkpoints
        self._saved_at = time.monotonic()
        self._steps_since_saved = 0
        train_rows, self.validation_rows = rows_within_budget(config.memory_budget, train, validation)
        self.order = EpochOrder(images=len(train), batch_size=config.batch_size, max_rows=train_rows, seed=config.seed)
        self.train = open_cache(train, config, devices, max_rows=train_rows, batch_size=config.batch_size)
        self.validation = open_cache(
            validation, config, devices, max_rows=self.validation_rows, batch_size=VALIDATION_BATCH_SIZE
        )
        self.classifier = Classifier(
            network,
            config,
            train=self.train,
            validation=self.validation,
            first_clean_step=self.order.steps * (config.epochs - config.augmentation.clean_epochs),
            xla=xla,
            devices=devices,
        )
        self.step_history = StepHistory(steps=self.order.steps, batch_size=config.batch_size, images=len(train))
        self.group_steps = min(math.ceil(self.order.steps / GROUPS_PER_EPOCH), MAX_STEPS_PER_GROUP)
        # A checkpoint may be due within a group, whose end must still be the end of a call.
        steps_per_call = math.gcd(self.group_steps, min(config.checkpoint.every_steps, self.group_steps))
        with devices.scope():
            optimizer = config.optimizer.build(config.learning_rate.build(self.order.steps * config.epochs))
        self.classifier.compile(
            optimizer=optimizer,
            jit_compile=False,  # XLA cannot warp images: the classifier compiles what follows augmentation
            # Keras's loop over several steps fails on replicas (3.15: "You must feed a value for placeholder").
            steps_per_execution=1 if devices.replicated else steps_per_call,
        )
        with devices.scope():
            # Keras creates these variables on first use, which would discard restored values.
            self.classifier.optimizer.build(self.classifier.trainable_variables)

    def fit(self) -> None:
        """Train until done; the network ends with the weights of its best epoch.

        Raises:
            TerminationError: if termination was requested; the progress is saved.
            Paused: if `context.should_pause` returned True after an epoch; the progress is saved.
            ConfigError: if the loss does not stay finite.
        """
        with self.context.termination.deferred(), self.devices.lost_worker_errors():
            self._resume()
            while not self.done:
                self._pause_if_due()
                self._train_epoch()
        self.network.set_weights(self.stopping.weights)

    @property
    def done(self) -> bool:
        """Whether all epochs are done, or early stopping has ended training."""
        return self.epoch > self.config.epochs or self.stopping.should_stop

    def _resume(self) -> None:
        if (found := self.checkpoints.newest(self.context.progress)) is None:
            return
        record, arrays = found
        if record.machine != self.machine:
            self.context.progress.warning(
                f"the checkpoint was written on {record.machine}, and training continues on {self.machine}: "
                "rounding may differ, and the weights may not be the same to the bit"
            )
        self.epoch, self.step = record.epoch, record.step
        self.history = list(record.history)
        self.stopping.best = record.best
        restore_state(arrays, self.classifier, self.stopping, self.step_history)
        self.context.progress.resumed(epoch=self.epoch, step=self.step, history=self.history)

    def _pause_if_due(self) -> None:
        should_pause = self.context.should_pause
        if should_pause is not None and self.history and self.step == 0 and should_pause(self.history):
            if self._steps_since_saved:
                self._save()
            raise Paused(f"training paused after epoch {self.history[-1].epoch}")

    def _train_epoch(self) -> None:
        self.context.progress.epoch_begin(epoch=self.epoch, epochs=self.config.epochs, steps=self.order.steps)
        first_step, metrics = self.step, {}
        while self.step < self.order.steps:
            metrics = self._train_block(self.order.block(self.epoch, self.step), first_step)
        self._end_epoch(metrics)

    def _train_block(self, block: Block, first_step: int) -> dict[str, float]:
        """Train the remaining steps of a block; `first_step` is where this process began in the epoch."""
        order, begin, end = self.order, self.step, block.end_step
        if steps_done := (begin - block.first_step) % self.group_steps:
            # An attempt with another `checkpoint.every_steps` ended within a group: the groups stay the same.
            end = min(begin + self.group_steps - steps_done, end)

        def advance(batch: int, logs: dict[str, float]) -> None:
            # Keras counts whole calls, also if the last one is shorter.
            step = min(begin + batch + 1, end)
            if group_ends := step == end or (step - block.first_step) % self.group_steps == 0:
                self.step_history.record(epoch=self.epoch, step=step, loss=logs["loss"], accuracy=logs["accuracy"])
            images = min(step * order.batch_size, order.images) - first_step * order.batch_size
            self.advance(step, images, logs, group_ends=group_ends)

        rows = order.rows(self.epoch, block)
        self.train.load_rows(block.start, block.rows, order=rows)
        first, last = ((step - block.first_step) * order.batch_size for step in (begin, end))
        step = (self.epoch - 1) * order.steps + begin  # counted over all epochs
        fitted = self.classifier.fit(
            batch_rows(rows[first:last], order.batch_size).enumerate(start=step),
            shuffle=False,  # the rows are in the epoch's order
            callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=advance)],
            verbose=0,
        )
        return {name: float(values[-1]) for name, values in fitted.history.items()}

    def advance(self, step: int, images: int, metrics: dict[str, float], *, group_ends: bool) -> None:
        """Record that the epoch is at `step`; save a checkpoint if one is due, and stop if termination is requested."""
        self._steps_since_saved += step - self.step
        self.step = step
        self.context.progress.training_step(step=step, images=images, metrics=metrics)
        # The epoch's last step is saved after validation.
        if step < self.order.steps and self._save_if_due(may_stop=group_ends or not self.devices.has_workers):
            self._terminate()

    def _end_epoch(self, metrics: dict[str, float]) -> None:
        metrics |= {f"val_{name}": value for name, value in self.validate().items()}
        metrics["learning_rate"] = float(self.classifier.optimizer.learning_rate)
        # Others may round differently, but all must stop at the same epoch.
        metrics = self.devices.broadcast_from_chief(metrics)
        if not all(map(math.isfinite, metrics.values())):
            raise ConfigError(
                f"training diverged: the loss of epoch {self.epoch} is {metrics['loss']}, "
                f"on validation {metrics['val_loss']}",
                expected="a loss that stays finite",
                remedy="lower the learning rate (trainer.learning_rate)",
            )
        row = Epoch(epoch=self.epoch, **metrics)
        self.history.append(row)
        self.stopping.update(row, self.network)
        self.epoch, self.step = self.epoch + 1, 0
        self.classifier.clear_metrics()
        # Saved before it is reported: a progress listener may take long, and the process may be killed meanwhile.
        terminating = self._save_if_due()
        self.context.progress.epoch_end(metrics=metrics)
        if terminating:
            self._terminate()

    def validate(self) -> dict[str, float]:
        """Return the mean metrics over the validation split, which may be loaded block by block."""
        totals: Counter[str] = Counter()
        for rows in self.validation.load_in_blocks(self.validation_rows):
            self.classifier.clear_metrics()
            batches = batch_rows(tf.range(rows, dtype=tf.int64), VALIDATION_BATCH_SIZE)
            means = self.classifier.evaluate(batches, verbose=0, return_dict=True)
            totals.update({name: mean * rows for name, mean in means.items()})
        return {name: total / len(self.validation.split) for name, total in totals.items()}

    def _save_if_due(self, *, may_stop: bool = True) -> bool:
        """Save a checkpoint if one is due; return whether training must stop, which is the same on all workers."""
        terminating = may_stop and self.devices.any_worker(self.context.termination.requested)
        every = self.config.checkpoint
        seconds_passed = 0 < every.every_seconds <= time.monotonic() - self._saved_at
        if terminating or self.done or seconds_passed or 0 < every.every_steps <= self._steps_since_saved:
            self._save()
        return terminating

    def _save(self) -> None:
        record = Checkpoint(
            epoch=self.epoch,
            step=self.step,
            done=self.done,
            history=tuple(self.history),
            best=self.stopping.best,
            machine=self.machine,
        )
        self.checkpoints.write(record, capture_state(self.classifier, self.stopping, self.step_history))
        self.context.checkpoint_saved()
        self._saved_at, self._steps_since_saved = time.monotonic(), 0

    def _terminate(self) -> NoReturn:
        where = f"in epoch {self.epoch}, after step {self.step}" if self.step else f"after epoch {self.epoch - 1}"
        raise TerminationError(
            f"the job was interrupted {where}; {SAVED}", remedy="run the same command again to continue from there"
        )
