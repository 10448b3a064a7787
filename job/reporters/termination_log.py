"""The outcome of a run in a file that a batch runner displays: Kubernetes' termination message.

Kubernetes reads at most 4096 bytes of the file at a container's `terminationMessagePath`, by default
`/dev/termination-log`, and shows them in the pod's status.
"""

import json
import os
from pathlib import Path
from typing import Any

from components.base.errors import ExitCode, JobError
from components.base.text import MESSAGE_LIMIT, escape_json, printable
from components.object_storage import is_object_url
from job.store.records import RunRecord, outcome_of
from job.store.runs import Runs

VARIABLE = "JOB_TERMINATION_LOG"
"""Environment variable with the path of the file; without it nothing is written."""
MAX_BYTES = 4096
SHORTENED = ("resume", "remedy", "headline", "run_directory")
"""Fields that are cut if the message is too long, in this order."""


def clear_termination_log() -> None:
    """Empty the file, so that no earlier message is taken for that of a killed run; raise OSError if that fails."""
    if path := os.environ.get(VARIABLE):
        _write(path, b"")


def write_termination_log(
    exit_code: ExitCode, failure: JobError | None = None, record: RunRecord | None = None, resume: str = ""
) -> None:
    """Write the outcome as one line of JSON; `record` is None if no run began. Raise OSError if that fails."""
    if not (path := os.environ.get(VARIABLE)):
        return
    metrics = (record and record.metrics) or {}
    failed_checks = "; ".join(record.failed_checks()) if record else ""
    not_blessed = failed_checks and f"the model is not blessed: {failed_checks}"
    message: dict[str, Any] = {
        "outcome": outcome_of(exit_code),
        "exit_code": int(exit_code),
        **({"name": record.name} if record and record.name else {}),
        "step": record.failure.component if record and record.failure else None,
        "headline": failure.headline if failure else printable(not_blessed, limit=MESSAGE_LIMIT),
        "remedy": failure.remedy if failure else "",
        "resume": resume,
        "metrics": {name: metrics[name] for name in ("accuracy", "loss", "macro_f1") if name in metrics} or None,
        "run_directory": _run_directory(record) if record else None,
    }
    for field in SHORTENED:
        while len(_encode(message)) > MAX_BYTES and message[field]:
            message[field] = message[field][: len(message[field]) // 2]
    _write(path, _encode(message))


def _run_directory(record: RunRecord) -> str:
    root = record.config["root"]
    return f"{root}/runs/{record.run_id}" if is_object_url(root) else str(Runs(Path(root)).path(record.run_id))


def _write(path: str, content: bytes) -> None:
    # Without waiting: a FIFO that no process reads is an error, as a missing folder is.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK, 0o666), "wb") as file:
        file.write(content)


def _encode(message: dict[str, Any]) -> bytes:
    return escape_json(json.dumps(message, ensure_ascii=False)).encode() + b"\n"
