"""A tracker that fails never fails the run: it is told once, and the tracker hears no more."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from components.errors import in_one_line
from job.tracking.tracker import NoTracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from job.records import RunRecord, StepRecord
    from job.store import Sealed
    from job.tracking.tracker import Tracker


class Guarded:
    """Stands between a run and a tracker; a signal that breaks the run off is no failure, and goes through.

    Args:
        name: of the tool.
        make: makes the tracker, when the run begins; that can fail too.
        warning: told what failed.
    """

    def __init__(self, name: str, make: Callable[[], Tracker], warning: Callable[[str], None]) -> None:
        self._name, self._make, self._warning = name, make, warning
        self._tracker: Tracker = NoTracker()

    @property
    def places(self) -> Mapping[str, str]:
        return self._tracker.places

    def begin(self, record: RunRecord) -> None:
        with self._guard():
            tracker = self._make()
            tracker.begin(record)
            self._tracker = tracker

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        with self._guard():
            self._tracker.end_epoch(epoch, metrics)

    def end_step(self, step: StepRecord, sealed: Sealed) -> None:
        with self._guard():
            self._tracker.end_step(step, sealed)

    def end(self, record: RunRecord, directory: Path) -> None:
        with self._guard():
            self._tracker.end(record, directory)

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever a library, a disk or a server comes up with
            self._tracker = NoTracker()
            self._warning(f"{self._name} does not follow the run any more, which goes on: {in_one_line(error)}")
