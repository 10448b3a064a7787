"""Components that tests put into a slot to see what the job does with them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from components import (
    Component,
    ComponentConfig,
    Context,
    Evaluation,
    Evaluator,
    Model,
    PushedModel,
    Stored,
    TransformedExamples,
)
from components.artifacts import Epoch
from components.base.component import Seed
from components.base.errors import TerminationError
from components.base.progress import Progress
from components.testing import FakePusher, FakeTrainer


class CountedTrainer(FakeTrainer):
    """Takes its time, and adds a line to the file that `COUNTED` names for each time that it ran."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        with Path(os.environ["COUNTED"]).open("a") as file:
            file.write("ran\n")
        time.sleep(1)
        return super().run(context, transformed=transformed)


class SleepingTrainer(FakeTrainer):
    """Says that it sleeps, and does, without looking whether it should end."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        context.progress.message("sleeping")
        time.sleep(60)
        return super().run(context, transformed=transformed)


class ThreadedTrainer(SleepingTrainer):
    """Sleeps, and has a thread for which Python would wait, as downloaders have."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        threading.Thread(target=time.sleep, args=(60,)).start()
        return super().run(context, transformed=transformed)


class HeedingTrainer(FakeTrainer):
    """Looks between units of work whether it should end, and says so."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        context.progress.message("sleeping")
        for _ in range(1200):
            time.sleep(0.05)
            (context.output / "half-made").touch()
            context.termination.check()
        return super().run(context, transformed=transformed)


class TimedTrainer(FakeTrainer):
    """Tells the parts of its time."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        with context.timed("imports"):
            import numpy as np  # noqa: F401
        with context.timed("training"):
            return super().run(context, transformed=transformed)


class BrokenTrainer(FakeTrainer):
    """Fails while it trains."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:  # noqa: ARG002
        with context.timed("training"):
            raise ZeroDivisionError


class TalkativeTrainer(FakeTrainer):
    """Fails, and has more to say of it than anybody keeps."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:  # noqa: ARG002
        raise RuntimeError("x" * 20_000)


class EndedTrainer(FakeTrainer):
    """Finds while it trains that the job was asked to end."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:  # noqa: ARG002
        raise TerminationError("the job was asked to end")


class AnnotatedTrainerConfig(ComponentConfig):
    """What is only to be noted down."""

    notes: dict[str, int] = {}
    remark: str = ""
    seed: Seed = 0


class AnnotatedTrainer(Component[AnnotatedTrainerConfig]):
    """Makes FakeTrainer's model."""

    Config = AnnotatedTrainerConfig
    libraries = FakeTrainer.libraries

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        return FakeTrainer().run(context, transformed=transformed)


class OneSidedTrainer(FakeTrainer):
    """Never answers with the last class."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        import numpy as np

        from components.inference.linear import write_linear_model
        from components.io.splits import read_scaled

        train = read_scaled(transformed, transformed.artifact.splits.train)
        pixels = train.images.reshape(len(train), -1)
        classes = range(len(transformed.artifact.class_names))
        centroids = np.stack([pixels[train.labels == label].mean(axis=0) for label in classes])
        bias = -(centroids**2).sum(axis=1)
        bias[-1] -= 1e6
        return write_linear_model(2 * centroids.T, bias, transformed=transformed, output=context.output)


class PlainEvaluator(Evaluator):
    """Has the Evaluator's configuration, and compares with nothing."""

    def run(  # type: ignore[override]
        self, context: Context, /, *, transformed: Stored[TransformedExamples], model: Stored[Model]
    ) -> Evaluation:
        return super().run(context, transformed=transformed, model=model)


class EpochsTrainerConfig(ComponentConfig):
    """How much is trained, and how much of it was before."""

    epochs: int = 3
    done: int = 0
    """Epochs of an earlier attempt."""
    tells_history: bool = True
    """Whether it says how they went."""
    seed: Seed = 0


class EpochsTrainer(Component[EpochsTrainerConfig]):
    """Makes FakeTrainer's model, and tells of epochs as the Trainer does; a test can interrupt it after the first."""

    Config = EpochsTrainerConfig
    libraries = FakeTrainer.libraries

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        config, progress = self.config, context.progress
        history = tuple(
            Epoch(epoch=n, loss=1 / n, accuracy=0.5, val_loss=2 / n, val_accuracy=0.25, learning_rate=0.125)
            for n in range(1, config.epochs + 1)
        )
        if config.done:
            told = history[: config.done] if config.tells_history else ()
            progress.resumed(epoch=config.done + 1, step=0, history=told)
        for row in history[config.done :]:
            progress.epoch_begin(epoch=row.epoch, epochs=config.epochs, steps=1)
            progress.epoch_end(metrics=row.model_dump(exclude={"epoch"}))
            self.interrupt()
        model = FakeTrainer().run(context, transformed=transformed)
        return model.model_copy(update={"history": history, "best_epoch": 2})

    @staticmethod
    def interrupt() -> None:
        """Do nothing, unless a test puts something else here."""


class StuckPusher(FakePusher):
    """Says that it is stuck, and is."""

    def publish(self, sealed: Stored[PushedModel], progress: Progress) -> str:  # noqa: ARG002
        progress.message("stuck")
        time.sleep(60)
        return ""


class EndedPusher(FakePusher):
    """Raises a termination error while it publishes."""

    def publish(self, sealed: Stored[PushedModel], progress: Progress) -> str:  # noqa: ARG002
        raise TerminationError("termination was requested")


class BrokenPusher(FakePusher):
    """Fails while it delivers."""

    def publish(self, sealed: Stored[PushedModel], progress: Progress) -> str:  # noqa: ARG002
        raise ZeroDivisionError
