"""The last word of a run, where a batch runner looks for it: Kubernetes' termination message.

Kubernetes reads at most 4096 bytes of the file at a container's `terminationMessagePath`, by default
`/dev/termination-log`, and shows them in the pod's status ("Determine the Reason for Pod Failure" in
its documentation).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from job.store.records import outcome_of
from job.store.runs import Runs

if TYPE_CHECKING:
    from components.base.errors import ExitCode, JobError
    from job.store.records import RunRecord

VARIABLE = "JOB_TERMINATION_LOG"
"""Environment variable that names the file; without it, nothing is written."""
MOST = 4096
"""Bytes that Kubernetes reads."""
METRICS = ("accuracy", "loss", "macro_f1")


def clear_termination_log() -> None:
    """Empty the file: what an earlier run said must not be taken for the word of one that is killed.

    Raises:
        OSError: if it cannot be written.
    """
    if path := os.environ.get(VARIABLE):
        Path(path).write_bytes(b"")


def write_termination_log(
    exit_code: ExitCode,
    failure: JobError | None = None,
    record: RunRecord | None = None,
    resume: str = "",
) -> None:
    """Write how a run ended as JSON: outcome, exit code, step, headline, metrics, run directory.

    Args:
        exit_code: the one that the process will end with.
        failure: why it failed, if it did.
        record: the run, if it began.
        resume: the command that goes on.

    Raises:
        OSError: if the file cannot be written.
    """
    if not (path := os.environ.get(VARIABLE)):
        return
    metrics = (record and record.metrics) or {}
    missed = "; ".join(record.failed_checks()) if record else ""
    said: dict[str, Any] = {
        "outcome": outcome_of(exit_code),
        "exit_code": int(exit_code),
        "step": record.failure.component if record and record.failure else None,
        "headline": failure.headline if failure else missed and f"the model is not blessed: {missed}",
        "remedy": failure.remedy if failure else "",
        "resume": resume,
        "metrics": {name: metrics[name] for name in METRICS if name in metrics} or None,
        "run_directory": str(Runs(Path(record.config["root"])).path(record.run_id)) if record else None,
    }
    for key in ("resume", "remedy", "headline", "run_directory"):
        while len(encoded(said)) > MOST and said[key]:
            said[key] = said[key][: len(said[key]) // 2]
    Path(path).write_bytes(encoded(said))


def encoded(said: dict[str, Any]) -> bytes:
    """Return a message as one line of JSON in UTF-8."""
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
