"""Run the job in separate processes, with and without interference, and compare the results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


def environment() -> dict[str, str]:
    """Return the environment in which the job can import `tests.support`."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}


def interfered(plan: dict[str, Any], *arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command with an interference (see `tests.support.interfere`)."""
    return subprocess.run(
        [sys.executable, "-m", "tests.support.interfere", json.dumps(plan), *map(str, arguments)],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start a command and return its process, with pipes for its output."""
    return subprocess.Popen(
        [sys.executable, "-m", "job", *map(str, arguments)],
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_interfered(plan: dict[str, Any], *arguments: object) -> subprocess.Popen[str]:
    """Start a command with an interference (see `tests.support.interfere`), with pipes for its output."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.interfere", json.dumps(plan), *map(str, arguments)],
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_stopped(process: subprocess.Popen[str]) -> None:
    """Wait until a process has received SIGSTOP; fail if it ends instead."""
    ended = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert ended is not None
    assert ended.si_code == os.CLD_STOPPED, process.communicate()


def wait_for(text: str, process: subprocess.Popen[str]) -> None:
    """Read the output of a process until a line contains the text."""
    assert process.stdout is not None
    assert any(text in line for line in process.stdout), f"the job did not print {text!r}"


def wait_until(true: Callable[[], object], what: Callable[[], str], *, seconds: float) -> None:
    """Wait until `true()` is true; fail with the message `what()` after this many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def results(root: Path) -> dict[str, Any]:
    """Return the reproducible results of the newest run: exit code, digests, weights, history and metrics."""
    latest = root / "runs" / "latest"
    record = json.loads((latest / "run.json").read_text())
    steps = {step["component"]: (step["fingerprint"], step["digest"]) for step in record["steps"]}
    model = json.loads((latest / "trainer" / "manifest.json").read_text())["artifact"]
    return {
        "exit_code": record["exit_code"],
        "steps": steps,
        "weights": model["weights_sha256"],
        "history": model["history"],
        "metrics": record["metrics"],
    }
