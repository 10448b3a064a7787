"""Trackers for tests, and a configuration whose runs they record."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from job.store.records import RunRecord, StepRecord
from job.store.sealed import SealedArtifact
from tests.conftest import FAKES

METHODS = ("begin", "end_epoch", "end_step", "end")
EPOCHS: dict[str, Any] = {**FAKES, "trainer": {"use": "tests.support.components:EpochsTrainer"}}
"""A configuration of fakes whose trainer reports three epochs and keeps the second."""


class FakeTracker:
    """Records the calls that it receives, and fails or blocks in one method.

    Args:
        fails_in: the method that raises or blocks.
        error: what it raises.
        waits_for: what it waits for instead of raising.
    """

    location = "here"

    def __init__(
        self, fails_in: str = "", error: BaseException | None = None, waits_for: threading.Event | None = None
    ) -> None:
        self.calls: list[str] = []
        self.epochs: list[int] = []
        self.record: RunRecord | None = None
        self.aborts: list[str] = []
        self._fails_in, self._error = fails_in, error or RuntimeError("broken\nin two lines")
        self._waits_for = waits_for

    def begin(self, record: RunRecord) -> None:
        self._called("begin", record.run_id)

    def end_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        assert set(metrics) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
        self.epochs.append(epoch)
        self._called("end_epoch", str(epoch))

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        assert sealed.manifest.digest == step.digest
        self._called("end_step", step.component)

    def end(self, record: RunRecord, directory: Path) -> None:
        assert (directory / "run.json").is_file()
        self.record = record
        self._called("end", record.outcome)

    def abort(self, reason: str) -> None:
        self.aborts.append(reason)

    def _called(self, method: str, argument: str) -> None:
        self.calls.append(f"{method} {argument}")
        if method == self._fails_in and self._waits_for is not None:
            self._waits_for.wait(60)
        elif method == self._fails_in:
            raise self._error
