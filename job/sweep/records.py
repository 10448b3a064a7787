"""Records of a sweep: the content of the files in its folder."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Self

from components.artifacts import Epoch, Model
from job.store.records import RecordPart, RunRecord, Seconds

TrialState = Literal["waiting", "running", "paused", "stopped", "finished", "failed"]


class SweepHead(RecordPart):
    """The content of `sweep.json`: the definition of the sweep."""

    schema_version: Literal[1] = 1
    id: str
    started: datetime
    command: str
    """The command line that began or continues the sweep; empty if it was started from Python."""
    config: dict[str, Any]
    """The base configuration of every trial, with all defaults."""
    trial_count: int
    planned: tuple["Trial", ...]
    """The trials before they run, without those whose values depend on results."""
    sweep: dict[str, Any]
    """The section `sweep` of the configuration; a grid is in `space`."""


class Trial(RecordPart):
    """The content of `trials/<number>.json`: one run of the pipeline up to the trainer, with chosen values."""

    number: int
    """From 0."""
    setting: int
    """Trials that differ in seeds only have the same."""
    parameters: dict[str, Any]
    """The values that the sweep chose, by key of the configuration."""
    state: TrialState = "waiting"
    """`paused`: the trial continues if it is among the best. `stopped`: the pruner ended it."""
    max_epochs: int | None = None
    """None if the trainer has no number of epochs."""
    history: tuple[Epoch, ...] = ()
    """One row per finished epoch."""
    accuracy: float | None = None
    """On the validation split: of the model if the trial finished, otherwise after its last epoch."""
    loss: float | None = None
    """As `accuracy`."""
    run_ids: tuple[str, ...] = ()
    """Its runs, the newest last; more than one if it paused or was interrupted."""
    seconds: Seconds = 0.0
    """Duration of its runs."""
    cpu_seconds: Seconds = 0.0
    failure: str | None = None
    """Why it failed."""

    @property
    def is_settled(self) -> bool:
        """Whether it ended."""
        return self.state in ("finished", "stopped", "failed")

    @property
    def epochs_done(self) -> int:
        """The number of finished epochs."""
        return len(self.history)

    def after(self, history: Sequence[Epoch], model: Model | None = None) -> Self:
        """Return the trial with new results: the model if it finished."""
        rows = tuple(history) if model is None else model.history
        row = model.best if model is not None else rows[-1] if rows else None
        result = {} if row is None else {"accuracy": row.val_accuracy, "loss": row.val_loss}
        return self.model_copy(update={"history": rows, **result})

    def accuracy_at(self, epoch: int) -> float | None:
        """Return the validation accuracy after an epoch; of the model if the trial finished before it."""
        if len(self.history) >= epoch:
            return self.history[epoch - 1].val_accuracy
        return self.accuracy if self.state == "finished" else None


class Winner(RecordPart):
    """The content of `winner.json`: the best trial, and its model on the test split."""

    trial: int
    run_id: str
    exit_code: int
    metrics: dict[str, Any]
    """Of the test split."""
    blessed: bool | None
    rubber_stamped: bool
    report: str | None
    """Path of the report, relative to the root."""

    @classmethod
    def of(cls, trial: Trial, record: RunRecord) -> Self:
        """Return the winner from the run of its whole pipeline."""
        return cls(
            trial=trial.number,
            run_id=record.run_id,
            exit_code=record.exit_code or 0,
            metrics=record.metrics or {},
            blessed=record.blessed,
            rubber_stamped=record.rubber_stamped,
            report=None if record.report is None else f"runs/{record.run_id}/report.html",
        )
