"""The reporter for log collectors: one JSON object per line.

    {"time": "2026-11-22T19:05:11.042Z", "level": "info", "step": "trainer", "event": "resumed",
     "fields": {"epoch": 3, "step": 120}}

(in one line). `step` is the current component, or the one in which the run failed, or null.
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO

from components.artifacts import Epoch
from components.base.cluster import Cluster
from components.base.errors import JobError
from components.object_storage.objects import OnBytes
from job.reporters.tables import summary
from job.reporters.transfers import print_transfer
from job.store.records import RunRecord, StepRecord
from job.store.root import address
from job.store.sealed import SealedArtifact

Level = Literal["info", "warning", "error"]
LEVELS: dict[str, Level] = {"succeeded": "info", "not_blessed": "warning", "paused": "info", "terminated": "warning"}
OUTCOME_FIELDS = {
    *("outcome", "exit_code", "seconds", "cpu_seconds", "blessed", "withheld", "metrics"),
    *("report", "model_card", "tracking"),
}
"""Fields of the record in `run_finished`."""
TRAINING_STEP_SECONDS = 10.0
"""Minimum interval between `training_step` events; the first one is immediate."""


class JsonLog:
    """Writes one line per event, and flushes it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._step: str | None = None
        self._epoch: dict[str, int] = {}
        self._last_training_step = -math.inf

    def begin(self, record: RunRecord, directory: Path) -> None:
        names = {name: text for name in ("name", "note") if (text := getattr(record, name)) is not None}
        cluster = {} if record.cluster is None else _cluster_fields(record.cluster.as_worker(0))
        self._write(
            "run_started",
            run_id=record.run_id,
            **names,
            **cluster,
            run_directory=address(directory),
            environment=record.environment,
        )

    def begin_worker(self, cluster: Cluster, root: str) -> None:
        self._write("worker_started", **_cluster_fields(cluster), root=root)

    def begin_step(self, slot: str) -> None:
        self._step = slot
        self._write("step_started")

    def begin_part(self, part: str) -> None: ...  # `step_finished` has the duration of each part

    def waiting(self, owner: str) -> None:
        self._write("waiting", owner=owner)

    def end_step(self, step: StepRecord, sealed: SealedArtifact) -> None:
        self._write("step_finished", **step.model_dump(mode="json"), summary=summary(sealed))
        self._step = None

    def message(self, text: str) -> None:
        self._write("message", text=text)

    def warning(self, text: str) -> None:
        self._write("warning", "warning", text=text)

    def transfer(self, text: str, *, files: int, size: int) -> AbstractContextManager[OnBytes]:
        """Write messages about a transfer that takes some seconds."""
        return print_transfer(self.message, text, files, size)

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:  # noqa: ARG002
        self._write("resumed", epoch=epoch, step=step)

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:
        self._epoch = {"epoch": epoch, "epochs": epochs, "steps": steps}

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None:
        if time.monotonic() - self._last_training_step >= TRAINING_STEP_SECONDS:
            self._last_training_step = time.monotonic()
            self._write("training_step", **self._epoch, step=step, images=images, **_finite(metrics))

    def epoch_end(self, *, metrics: Mapping[str, float]) -> None:
        self._write("epoch_finished", **self._epoch, **_finite(metrics))

    def end(self, record: RunRecord, directory: Path) -> None:
        outcome = record.model_dump(mode="json", include=OUTCOME_FIELDS)
        level = LEVELS.get(record.outcome, "error")
        self._write("run_finished", level, run_id=record.run_id, run_directory=address(directory), **outcome)

    def end_worker(self, cluster: Cluster, slot: str | None) -> None:
        self._step = None
        self._write("worker_finished", worker=cluster.index, last_step=slot)

    def failed(self, error: JobError, *, resume: str) -> None:
        texts = {"headline": error.headline, "expected": error.expected, "remedy": error.remedy, "resume": resume}
        self._write("failed", "error", exit_code=int(error.exit_code), **texts)

    def _write(self, event: str, level: Level = "info", /, **fields: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": now, "level": level, "step": self._step, "event": event, "fields": fields}
        self._stream.write(json.dumps(line, allow_nan=False) + "\n")
        self._stream.flush()


def _cluster_fields(cluster: Cluster) -> dict[str, Any]:
    return {"worker": cluster.index, "workers": cluster.workers, "cluster_source": cluster.source}


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Return metrics with null for values that JSON does not have: NaN and infinity."""
    return {name: float(value) if math.isfinite(value) else None for name, value in metrics.items()}
