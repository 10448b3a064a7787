"""Trackers that a test looks at, and the runs that they follow."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from job.store.records import RunRecord, StepRecord
from job.store.store import SealedArtifact
from tests.conftest import FAKES

METHODS = ("begin", "end_epoch", "end_step", "end")
EPOCHS: dict[str, Any] = {**FAKES, "trainer": {"use": "tests.support.components:EpochsTrainer"}}
"""A configuration of fakes, whose trainer tells of three epochs, and keeps the second."""


class Keeping:
    """Keeps what it hears, and fails, or waits, where it is told to.

    Args:
        fails_in: the method that raises, or waits.
        error: what it raises.
        waits_for: what it waits for, instead of raising.
    """

    def __init__(
        self, fails_in: str = "", error: BaseException | None = None, waits_for: threading.Event | None = None
    ) -> None:
        self._waits_for = waits_for
        self.gave_up: list[str] = []
        self.places = {"keeping": "here"}
        self.heard: list[str] = []
        self.epochs: list[int] = []
        self.record: RunRecord | None = None
        self._fails_in, self._error = fails_in, error or RuntimeError("broken\nin two lines")

    def begin(self, record: RunRecord) -> None:
        self._hear("begin", record.run_id)

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        assert set(metrics) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
        self.epochs.append(epoch)
        self._hear("end_epoch", str(epoch))

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        assert sealed.manifest.digest == step.digest
        self._hear("end_step", step.component)

    def end(self, record: RunRecord, directory: Path) -> None:
        assert (directory / "run.json").is_file()
        self.record = record
        self._hear("end", record.outcome)

    def give_up(self, why: str) -> None:
        self.gave_up.append(why)

    def _hear(self, method: str, what: str) -> None:
        self.heard.append(f"{method} {what}")
        if method == self._fails_in and self._waits_for is not None:
            self._waits_for.wait(60)
        elif method == self._fails_in:
            raise self._error
