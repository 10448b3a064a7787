"""Components with a defined behavior, for tests of the job."""

from __future__ import annotations

import os
import shutil
import threading
import time
from functools import partial
from pathlib import Path

import tests.support.tasks
from components import (
    Component,
    ComponentConfig,
    Context,
    Evaluation,
    Evaluator,
    Examples,
    Model,
    PushedModel,
    Stored,
    TransformedExamples,
)
from components.artifacts import Epoch
from components.base.component import Seed
from components.base.errors import TerminationError
from components.base.progress import Progress
from components.runtime import processes
from components.testing import FakeExampleGen, FakePusher, FakeTrainer
from tests.support.tasks import square
from tests.support.text import HOSTILE


class CountedTrainer(FakeTrainer):
    """Takes a second, and adds a line to the file `COUNTED` (an environment variable) for each run."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        with Path(os.environ["COUNTED"]).open("a") as file:
            file.write("ran\n")
        time.sleep(1)
        return super().run(context, transformed=transformed)


class EngineTrainer(FakeTrainer):
    """Observes how many tasks run at once, and in how many other processes."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        tasks = [partial(square, number, seconds=0.1) for number in range(12)]
        processes = {process for _, process in context.engine.run(tasks, context.termination.check)}
        context.observe("parallel_tasks", context.engine.parallel)
        context.observe("other_processes", len(processes - {os.getpid()}))
        return super().run(context, transformed=transformed)


class TaskTrainer(FakeTrainer):
    """Runs tasks of `tests.support.tasks`: the function `TASK`, with the folder `FOLDER` (environment variables)."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        task, folder = getattr(tests.support.tasks, os.environ["TASK"]), Path(os.environ["FOLDER"])
        context.progress.message("tasks run")
        processes.MIN_SAVED_SECONDS = -1
        list(context.engine.run([partial(task, folder, number) for number in range(8)], context.termination.check))
        return super().run(context, transformed=transformed)


class SleepingTrainer(FakeTrainer):
    """Sleeps without checking for termination."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        context.progress.message("sleeping")
        time.sleep(60)
        return super().run(context, transformed=transformed)


class ThreadedTrainer(SleepingTrainer):
    """Sleeps, with a thread that Python would wait for, as those of downloaders."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        threading.Thread(target=time.sleep, args=(60,)).start()
        return super().run(context, transformed=transformed)


class CheckingTrainer(FakeTrainer):
    """Checks for termination between units of work."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        context.progress.message("sleeping")
        for _ in range(1200):
            time.sleep(0.05)
            (context.output / "unfinished").touch()
            context.termination.check()
        return super().run(context, transformed=transformed)


class VaryingTrainer(FakeTrainer):
    """Its result has the value of `VARY`, an environment variable that the job does not know.

    A number is that of the threads; `wait` takes a minute.
    """

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        value = os.environ.get("VARY", "")
        if value == "wait":
            context.progress.message("sleeping")
            for _ in range(1200):
                time.sleep(0.05)
                context.termination.check()
        model = super().run(context, transformed=transformed)
        with (context.output / model.history_file).open("a") as file:
            file.write(value)
        environment = model.environment.model_copy(update={"threads": int(value)} if value.isdigit() else {})
        return model.model_copy(update={"environment": environment})


class TimedTrainer(FakeTrainer):
    """Times two parts of its work."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        with context.timed("imports"):
            import numpy as np  # noqa: F401
        with context.timed("training"):
            return super().run(context, transformed=transformed)


class HostileExampleGen(FakeExampleGen):
    """Has hostile texts in its messages, and as the title of its data and the name of a class."""

    def run(self, context: Context, /) -> Examples:
        context.progress.message(HOSTILE)
        context.progress.warning(HOSTILE)
        examples = super().run(context)
        source = examples.source.model_copy(update={"title": HOSTILE, "identity": {HOSTILE: HOSTILE}})
        return examples.model_copy(update={"class_names": (HOSTILE, "b", "c"), "source": source})


class HostileTrainer(FakeTrainer):
    """Fails with a hostile text."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:  # noqa: ARG002
        raise ValueError(HOSTILE)


class BrokenTrainer(FakeTrainer):
    """Fails while it trains."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:  # noqa: ARG002
        with context.timed("training"):
            raise ZeroDivisionError


class UnmountedTrainer(FakeTrainer):
    """Moves the root away before it trains, as if it was unmounted."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        unmount(context)
        return super().run(context, transformed=transformed)


class LateUnmountedTrainer(FakeTrainer):
    """Moves the root away after it trained."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        model = super().run(context, transformed=transformed)
        unmount(context)
        return model


class RemovedRunTrainer(FakeTrainer):
    """Deletes the folders of all runs while it trains."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        shutil.rmtree(context.output.parents[3] / "runs")
        return super().run(context, transformed=transformed)


def unmount(context: Context) -> None:
    """Move the root of a component's output away."""
    root = context.output.parents[3]
    root.rename(root.with_name("unmounted"))


class TalkativeTrainer(FakeTrainer):
    """Fails with a message that is longer than any tracker stores."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:  # noqa: ARG002
        raise RuntimeError("x" * 20_000)


class EndedTrainer(FakeTrainer):
    """Is interrupted while it trains."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:  # noqa: ARG002
        raise TerminationError("the job was interrupted")


class AnnotatedTrainerConfig(ComponentConfig):
    """Values without any effect."""

    notes: dict[str, int] = {}
    remark: str = ""
    seed: Seed = 0


class AnnotatedTrainer(Component[AnnotatedTrainerConfig]):
    """Returns FakeTrainer's model."""

    Config = AnnotatedTrainerConfig
    libraries = FakeTrainer.libraries

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        return FakeTrainer().run(context, transformed=transformed)


class OneSidedTrainer(FakeTrainer):
    """Never predicts the last class."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        import numpy as np

        from components.inference.linear import write_linear_model
        from components.inference.split_images import read_scaled

        train = read_scaled(transformed, transformed.artifact.splits.train)
        pixels = train.images.reshape(len(train), -1)
        classes = range(len(transformed.artifact.class_names))
        centroids = np.stack([pixels[train.labels == label].mean(axis=0) for label in classes])
        bias = -(centroids**2).sum(axis=1)
        bias[-1] -= 1e6
        return write_linear_model(2 * centroids.T, bias, transformed=transformed, output=context.output)


class PlainEvaluator(Evaluator):
    """Has the Evaluator's configuration, but no baseline as an input."""

    def run(  # type: ignore[override]
        self, context: Context, /, *, transformed: Stored[TransformedExamples], model: Stored[Model]
    ) -> Evaluation:
        return super().run(context, transformed=transformed, model=model)


class EpochsTrainerConfig(ComponentConfig):
    """Number of epochs, and how many of them an earlier attempt finished."""

    epochs: int = 3
    done: int = 0
    """Epochs of the earlier attempt."""
    reports_history: bool = True
    """Whether it reports the metrics of these epochs."""
    seed: Seed = 0


class EpochsTrainer(Component[EpochsTrainerConfig]):
    """Returns FakeTrainer's model, and reports epochs as the Trainer does; tests can replace `interrupt`."""

    Config = EpochsTrainerConfig
    libraries = FakeTrainer.libraries

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:
        config, progress = self.config, context.progress
        history = tuple(
            Epoch(epoch=n, loss=1 / n, accuracy=0.5, val_loss=2 / n, val_accuracy=0.25, learning_rate=0.125)
            for n in range(1, config.epochs + 1)
        )
        if config.done:
            reported = history[: config.done] if config.reports_history else ()
            progress.resumed(epoch=config.done + 1, step=0, history=reported)
        for row in history[config.done :]:
            progress.epoch_begin(epoch=row.epoch, epochs=config.epochs, steps=1)
            progress.epoch_end(metrics=row.model_dump(exclude={"epoch"}))
            self.interrupt()
        model = FakeTrainer().run(context, transformed=transformed)
        return model.model_copy(update={"history": history, "best_epoch": 2})

    @staticmethod
    def interrupt() -> None:
        """Called after each epoch; does nothing unless a test replaces it."""


class StuckPusher(FakePusher):
    """Does not return while it publishes."""

    def publish(self, sealed: Stored[PushedModel], progress: Progress) -> str:  # noqa: ARG002
        progress.message("stuck")
        time.sleep(60)
        return ""


class EndedPusher(FakePusher):
    """Raises a termination error while it publishes."""

    def publish(self, sealed: Stored[PushedModel], progress: Progress) -> str:  # noqa: ARG002
        raise TerminationError("termination was requested")


class BrokenPusher(FakePusher):
    """Fails while it publishes."""

    def publish(self, sealed: Stored[PushedModel], progress: Progress) -> str:  # noqa: ARG002
        raise ZeroDivisionError
