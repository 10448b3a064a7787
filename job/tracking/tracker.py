"""What follows a run in another tool, and what follows none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from job.records import RunRecord, StepRecord
    from job.store import Sealed


class Tracker(Protocol):
    """Hears of one run, from its beginning to its end.

    It may raise whatever it likes: `Guarded` stands between it and the run.
    """

    @property
    def places(self) -> Mapping[str, str]:
        """Where a person looks for the run, by the name of the tool; known once the run has begun."""

    def begin(self, record: RunRecord) -> None:
        """Hear that a run begins: its id, its resolved configuration, and what it runs on."""

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Hear how an epoch of training went.

        Each epoch of a run is told once, in order: as it ends, or later where it was trained before.

        Args:
            epoch: from 1.
            metrics: `loss`, `accuracy`, `val_loss`, `val_accuracy` and `learning_rate`.
        """

    def end_step(self, step: StepRecord, sealed: Sealed) -> None:
        """Hear that a step is done, and what it made."""

    def end(self, record: RunRecord, directory: Path) -> None:
        """Hear how the run ended, and where its record and its report are."""


class NoTracker:
    """Follows no run: the null object."""

    places: Mapping[str, str] = {}

    def begin(self, record: RunRecord) -> None: ...

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None: ...

    def end_step(self, step: StepRecord, sealed: Sealed) -> None: ...

    def end(self, record: RunRecord, directory: Path) -> None: ...
