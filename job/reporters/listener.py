"""What a run tells as it goes, whoever listens: a person at a terminal, or a log collector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from components.base.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from components.base.errors import JobError
    from job.store.records import RunRecord, StepRecord
    from job.store.store import SealedArtifact


class RunListener(Progress, Protocol):
    """Hears of a run from the runner, and of work within a step from its component."""

    def begin(self, record: RunRecord, directory: Path) -> None:
        """Hear that a run begins, and where its record is kept."""

    def begin_step(self, slot: str) -> None:
        """Hear that a step begins."""

    def waiting(self, holder: str) -> None:
        """Hear that another run is at work on the same artifact, and which."""

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        """Hear what a step did, why, and what came out."""

    def end(self, record: RunRecord, directory: Path) -> None:
        """Hear how the run ended."""

    def failed(self, error: JobError, *, resume: str) -> None:
        """Hear why a run, or what should have become one, failed.

        Args:
            error: headline, detail and remedy.
            resume: the command that goes on from what is done; empty where nothing is.
        """
