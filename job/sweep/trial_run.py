"""One run of a trial: the pipeline up to the trainer, until the trial pauses, stops, finishes or fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts import Epoch, Model
from components.base.errors import ConfigError, JobError
from job.pipeline.slots import TRAINER
from job.reporters.console import ConsoleReporter
from job.runner.runner import Runner
from job.store.records import RunRecord, StepRecord, SweepRecord
from job.store.sealed import SealedArtifact
from job.sweep.records import Trial

if TYPE_CHECKING:
    from rich.console import Console

    from job.config.config import JobConfig
    from job.signals import Signals


class TrialReporter(ConsoleReporter):
    """Collects the results of a trial. It prints only warnings, and on a terminal the epoch in progress."""

    def __init__(self, console: Console, on_begin: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(console)
        self._on_begin = on_begin
        self.history: list[Epoch] = []
        self.model: Model | None = None
        self._number = 0

    def begin(self, record: RunRecord, directory: Path) -> None:  # noqa: ARG002
        self._on_begin(record.run_id)

    def message(self, text: str) -> None: ...

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:  # noqa: ARG002
        self.history = list(history)

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:
        self._number = epoch
        super().epoch_begin(epoch=epoch, epochs=epochs, steps=steps)

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:
        self._stop_progress()
        self.history.append(Epoch(epoch=self._number, **metrics))
        self._show_part()

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:  # noqa: ARG002
        self._stop_progress()
        self._part = ""
        if isinstance(artifact := sealed.manifest.artifact, Model):
            self.model = artifact

    def end(self, record: RunRecord, directory: Path) -> None:  # noqa: ARG002
        self._stop_progress()
        self._part = ""


@dataclass(frozen=True, kw_only=True)
class TrialRun:
    """Runs trials of one sweep."""

    sweep_id: str
    signals: Signals
    console: Console
    command: str
    write: Callable[[Trial], None]
    """Called to store the trial when its state changes."""

    def run(
        self, trial: Trial, config: JobConfig, *, should_pause: Callable[[Sequence[Epoch]], bool] | None, pauses: bool
    ) -> Trial:
        """Run a trial and return it; raise an error only if it does not come from the values of the trial.

        Args:
            should_pause: called after each epoch; the run ends if it returns True.
            pauses: whether the trial may continue after that.
        """
        before = trial

        def begin(run_id: str) -> None:
            nonlocal trial
            trial = trial.model_copy(update={"state": "running", "run_ids": (*trial.run_ids, run_id)})
            self.write(trial)

        reporter = TrialReporter(self.console, begin)
        runner = Runner(
            config,
            reporter,
            self.signals,
            until=TRAINER,
            sweep=SweepRecord(id=self.sweep_id, trial=trial.number, parameters=trial.parameters),
            should_pause=should_pause,
            command=self.command,
        )
        try:
            record = runner.run()
        except JobError as error:
            if not runner.has_begun:
                raise
            trial = _with_time(trial, runner.record)
            if not _comes_from_values(error, runner.record):
                self.write(trial.model_copy(update={"state": before.state}))
                raise
            trial = trial.after(reporter.history)
            failed = {"state": "failed", "accuracy": None, "loss": None, "failure": error.headline}
            return trial.model_copy(update=failed)
        trial = _with_time(trial, record).after(reporter.history, reporter.model)
        state = "finished" if record.outcome != "paused" else "paused" if pauses else "stopped"
        return trial.model_copy(update={"state": state})


def _with_time(trial: Trial, record: RunRecord) -> Trial:
    seconds, cpu_seconds = trial.seconds + record.seconds, trial.cpu_seconds + (record.cpu_seconds or 0.0)
    return trial.model_copy(update={"seconds": round(seconds, 3), "cpu_seconds": round(cpu_seconds, 3)})


def _comes_from_values(error: JobError, record: RunRecord) -> bool:
    """Return whether training failed for a reason that would be the same in the next attempt, such as divergence."""
    in_training = record.failure is not None and record.failure.component == TRAINER
    return in_training and (isinstance(error, ConfigError) or type(error) is JobError)
