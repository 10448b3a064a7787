"""From what a run reports to what its trackers hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.artifacts import Model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from components.artifacts import Epoch
    from components.base.errors import JobError
    from job.reporters.listener import RunListener
    from job.store.records import RunRecord, StepRecord
    from job.store.store import SealedArtifact
    from job.tracking.tracker import Tracker


class TrackingListener:
    """A report that tells a tracker too, of all but the end.

    Each epoch is told once, in order: before resumed training goes on, those of earlier attempts;
    as an epoch ends; and when the step ends, whatever of the model's history was not told by then,
    which is all of it where the model is reused.

    Args:
        report: told all.
        tracker: told what a tracker hears.
    """

    def __init__(self, report: RunListener, tracker: Tracker) -> None:
        self._report = report
        self._tracker = tracker
        self._epoch = 0
        self._told = 0

    def begin(self, record: RunRecord, directory: Path) -> None:
        self._report.begin(record, directory)
        self._tracker.begin(record)

    def begin_step(self, slot: str) -> None:
        self._report.begin_step(slot)

    def waiting(self, holder: str) -> None:
        self._report.waiting(holder)

    def message(self, text: str) -> None:
        self._report.message(text)

    def warning(self, text: str) -> None:
        self._report.warning(text)

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:
        self._report.resumed(epoch=epoch, step=step, history=history)
        self._tell_history(history)

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:
        self._epoch = epoch
        self._report.epoch_begin(epoch=epoch, epochs=epochs, steps=steps)

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None:
        self._report.training_step(step=step, images=images, metrics=metrics)

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:
        self._report.epoch_end(metrics=metrics)
        self._tell(self._epoch, metrics)

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        self._report.end_step(step, sealed)
        if isinstance(model := sealed.manifest.artifact, Model):
            self._tell_history(model.history)
        self._tracker.end_step(step, sealed)

    def end(self, record: RunRecord, directory: Path) -> None:
        self._report.end(record, directory)

    def failed(self, error: JobError, *, resume: str) -> None:
        self._report.failed(error, resume=resume)

    def _tell_history(self, history: Sequence[Epoch]) -> None:
        for row in history:
            self._tell(row.epoch, row.model_dump(exclude={"epoch"}))

    def _tell(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Tell an epoch if it is the next one; one that comes before its predecessors is told with the history."""
        if epoch == self._told + 1:
            self._told = epoch
            self._tracker.end_epoch(epoch, metrics)
