"""A trainer in epochs for tests of sweeps: it needs no TensorFlow, and pauses and resumes as the real one does."""

from __future__ import annotations

import json
import os
import signal
from typing import Annotated

from pydantic import Field

from components.artifacts import Epoch, Model, TransformedExamples
from components.artifacts.base import Stored
from components.base.component import Component, Context
from components.base.errors import ConfigError
from components.base.termination import Paused
from components.io.atomic import write_atomically
from components.testing import FakeTrainer
from components.testing.fakes import FakeTrainerConfig

KILLED_IN = "TEST_KILLED_IN"
"""Environment variable with the epoch in which each training kills its process once."""


class EpochTrainerConfig(FakeTrainerConfig):
    """Configuration of EpochTrainer."""

    epochs: Annotated[int, Field(strict=True, ge=1)] = 9
    quality: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.5
    """The validation accuracy after the last epoch, less a part of the seed."""
    diverges: bool = False


class EpochTrainer(Component[EpochTrainerConfig]):
    """Its accuracy rises in a straight line to `quality`."""

    Config = EpochTrainerConfig
    libraries = FakeTrainer.libraries

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        config = self.config
        model = FakeTrainer(FakeTrainerConfig(seed=config.seed)).run(context, transformed=transformed)
        assert context.checkpoints is not None
        path = context.checkpoints / "history.json"
        rows = [Epoch.model_validate(row) for row in json.loads(path.read_text())] if path.exists() else []
        if rows:
            context.progress.resumed(epoch=len(rows) + 1, step=0, history=rows)
        while len(rows) < config.epochs:
            if rows and context.should_pause is not None and context.should_pause(rows):
                raise Paused
            context.termination.check()
            epoch = len(rows) + 1
            if config.diverges:
                raise ConfigError(f"training diverged: the loss of epoch {epoch} is nan")
            killed = context.checkpoints / "killed"
            context.checkpoints.mkdir(parents=True, exist_ok=True)
            if epoch == int(os.environ.get(KILLED_IN, "0")) and not killed.exists():
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            context.progress.epoch_begin(epoch=epoch, epochs=config.epochs, steps=1)
            accuracy = max(config.quality - config.seed / 100, 0.0) * epoch / config.epochs
            metrics = {"loss": 1 - accuracy, "accuracy": accuracy, "val_loss": 1 - accuracy, "val_accuracy": accuracy}
            rows.append(Epoch(epoch=epoch, learning_rate=0.1, **metrics))
            write_atomically(path, json.dumps([row.model_dump() for row in rows]))
            context.checkpoint_saved()
            context.progress.epoch_end(metrics={**metrics, "learning_rate": 0.1})
        return model.model_copy(update={"history": tuple(rows), "best_epoch": config.epochs})
