"""Run the job in separate processes, with and without interference, and compare the results."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.warm_python import REPOSITORY as REPOSITORY
from tests.support.warm_python import WarmPython


def environment() -> dict[str, str]:
    """Return the environment in which the job can import `tests.support`."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}


def start(*arguments: object) -> subprocess.Popen[str]:
    """Start a command and return its process, with pipes for its output."""
    return start_module("job", *arguments)


def start_interfered(plan: dict[str, Any], *arguments: object) -> subprocess.Popen[str]:
    """Start a command with an interference (see `tests.support.interfere`), with pipes for its output."""
    return start_module("tests.support.interfere", json.dumps(plan), *arguments)


def run_process(
    *arguments: object, timeout: float = 300, folder: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return _finish(start_module("job", *arguments, folder=folder), timeout)


def interfered(plan: dict[str, Any], *arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command with an interference (see `tests.support.interfere`)."""
    return _finish(start_interfered(plan, *arguments), timeout)


def start_module(*words: object, folder: Path = REPOSITORY) -> subprocess.Popen[str]:
    """Start a module with arguments and return its process, with pipes for its output."""
    return WarmPython(*map(str, words), environment=environment(), folder=folder)


def _finish(process: subprocess.Popen[str], timeout: float) -> subprocess.CompletedProcess[str]:
    with process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


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
