"""The job in processes of its own: undisturbed, interfered with, and what came out."""

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
    """Return the environment in which the job finds the tests' own components."""
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
    """Start a command and return its process, its output in pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "job", *map(str, arguments)],
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(text: str, process: subprocess.Popen[str]) -> None:
    """Read what a process says until a line has some text in it."""
    assert process.stdout is not None
    assert any(text in line for line in process.stdout), f"the job never said {text!r}"


def wait_until(true: Callable[[], object], what: Callable[[], str], *, seconds: float) -> None:
    """Wait until something is true.

    Raises:
        AssertionError: if it is not after so many seconds; says what is instead.
    """
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def results(root: Path) -> dict[str, Any]:
    """Return what the newest run of a root came to, as far as it must be the same every time.

    That is fingerprint and digest of each step's artifact, and of the model its weights and history.
    """
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
