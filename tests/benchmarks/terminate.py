"""Runs that are terminated while they train, so that another run can resume them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence

from tests.support.processes import REPOSITORY, environment


def terminate_in_training(
    command: Sequence[str],
    *,
    variables: Mapping[str, str] | None = None,
    delay: float = 0.0,
    timeout: float | None = None,
) -> tuple[int, float]:
    """Send SIGTERM to a run, and return its exit code and the seconds from the signal to its end.

    Args:
        command: the run.
        variables: additional environment variables.
        delay: seconds between the end of the first epoch, or the resumption, and the signal.
        timeout: seconds for the end of the process after its last output.
    """
    env = {**environment(), "PYTHONUNBUFFERED": "1", **(variables or {})}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith((" epoch", "  resumed")):
                break
        time.sleep(delay)
        requested = time.perf_counter()
        process.terminate()
        process.stdout.read()
        return process.wait(timeout=timeout), time.perf_counter() - requested
