"""The run as a log for machines: one JSON object a line.

    {"time": "2026-11-22T19:05:11.042Z", "level": "info", "step": "trainer", "event": "resumed",
     "fields": {"epoch": 3, "step": 120}}

(on one line). `step` is the component at work, or at which the run ended, or null; `fields` is what the event is about.
"""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO

from job.reporters.tables import summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from components.artifacts import Epoch
    from components.base.errors import JobError
    from job.store.records import RunRecord, StepRecord
    from job.store.store import SealedArtifact

Level = Literal["info", "warning", "error"]
LEVELS: dict[str, Level] = {"succeeded": "info", "not_blessed": "warning", "terminated": "warning"}
ENDING = {
    *("outcome", "exit_code", "seconds", "cpu_seconds", "blessed", "withheld", "metrics"),
    *("report", "model_card", "tracking"),
}
"""What the last event tells of a run's record."""
EVERY = 10.0
"""Seconds at least between two `training_step` events, the first of which comes at once."""


class JsonLog:
    """Writes a line for each thing that it hears of.

    Args:
        stream: where to; each line is flushed.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.step: str | None = None
        self.epoch: dict[str, int] = {}
        self.told_at = -math.inf

    def begin(self, record: RunRecord, directory: Path) -> None:
        self._write("run_begun", run_id=record.run_id, run_directory=str(directory), environment=record.environment)

    def begin_step(self, slot: str) -> None:
        self.step = slot
        self._write("step_begun")

    def waiting(self, owner: str) -> None:
        self._write("waiting", owner=owner)

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        self._write("step_ended", **step.model_dump(mode="json"), summary=summary(sealed))
        self.step = None

    def message(self, text: str) -> None:
        self._write("message", text=text)

    def warning(self, text: str) -> None:
        self._write("warning", "warning", text=text)

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:  # noqa: ARG002
        self._write("resumed", epoch=epoch, step=step)

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:
        self.epoch = {"epoch": epoch, "epochs": epochs, "steps": steps}

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None:
        if time.monotonic() - self.told_at >= EVERY:
            self.told_at = time.monotonic()
            self._write("training_step", **self.epoch, step=step, images=images, **numbers(metrics))

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:
        self._write("epoch_ended", **self.epoch, **numbers(metrics))

    def end(self, record: RunRecord, directory: Path) -> None:
        self._write(
            "run_ended",
            LEVELS.get(record.outcome, "error"),
            run_id=record.run_id,
            run_directory=str(directory),
            **record.model_dump(mode="json", include=ENDING),
        )

    def failed(self, error: JobError, *, resume: str) -> None:
        self._write(
            "failed",
            "error",
            exit_code=int(error.exit_code),
            headline=error.headline,
            expected=error.expected,
            remedy=error.remedy,
            resume=resume,
        )

    def _write(self, event: str, level: Level = "info", /, **fields: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": now, "level": level, "step": self.step, "event": event, "fields": fields}
        self.stream.write(json.dumps(line, allow_nan=False) + "\n")
        self.stream.flush()


def numbers(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Return metrics as JSON has them: null for what is no finite number."""
    return {name: float(value) if math.isfinite(value) else None for name, value in metrics.items()}
