"""Several trackers as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from job.records import RunRecord, StepRecord
    from job.store import Sealed
    from job.tracking.tracker import Tracker


class Trackers:
    """Tells each of some trackers what it hears, in their order."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = trackers

    @property
    def places(self) -> Mapping[str, str]:
        return {name: place for tracker in self._trackers for name, place in tracker.places.items()}

    def begin(self, record: RunRecord) -> None:
        for tracker in self._trackers:
            tracker.begin(record)

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        for tracker in self._trackers:
            tracker.end_epoch(epoch, metrics)

    def end_step(self, step: StepRecord, sealed: Sealed) -> None:
        for tracker in self._trackers:
            tracker.end_step(step, sealed)

    def end(self, record: RunRecord, directory: Path) -> None:
        for tracker in self._trackers:
            tracker.end(record, directory)
