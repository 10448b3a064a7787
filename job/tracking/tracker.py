"""What follows a run in another tool, and what follows none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from job.store.records import RunRecord, StepRecord
    from job.store.store import SealedArtifact


class Tracker(Protocol):
    """Hears of one run, from its beginning to its end."""

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

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        """Hear that a step is done, and what it made."""

    def end(self, record: RunRecord, directory: Path) -> None:
        """Hear how the run ended, and where its record and its report are."""


class Tool(Tracker, Protocol):
    """The tracker of one tool; what it does with what it hears is done in a thread of its own (see `InThread`).

    It may raise whatever it likes there, and take as long as it likes. It is made where the run is, and so
    imports what it needs when it is made, and waits for nothing before it hears that the run begins.
    """

    def give_up(self, why: str) -> None:
        """Hear that it hears no more, since it failed: a last chance to say so in the tool."""


class NoTracker:
    """Follows no run: the null object."""

    places: Mapping[str, str] = {}

    def begin(self, record: RunRecord) -> None: ...

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None: ...

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None: ...

    def end(self, record: RunRecord, directory: Path) -> None: ...
