"""One process, whole: what the operating system says that it took.

A process begins as a copy of the one that starts it, and Linux counts that into its highest memory: so whatever
measures must stay small itself, and leaves NumPy and its like to processes of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.support.processes import REPOSITORY, environment

PEAK_UNIT = 1 if sys.platform == "darwin" else 1024
"""`ru_maxrss` is in bytes there, in KiB elsewhere."""
LOOK_EVERY = 0.002
"""Seconds; what is measured of a wall may be too long by this."""
TOLD = 600
"""Characters of the standard error that are kept of a process that failed."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one process took, and what it said.

    Attributes:
        wall: seconds from its start to its end.
        cpu: CPU-seconds of all its threads, in the program and in the kernel.
        peak: bytes of resident memory at the highest.
        exit_code: negative if a signal ended it.
        failure: why its figures are worth nothing; empty if it went well.
    """

    wall: float
    cpu: float
    peak: int
    exit_code: int
    stdout: str
    failure: str


def measure(
    command: Sequence[str], *, timeout: float, good: Sequence[int] = (0,), variables: Mapping[str, str] | None = None
) -> Measured:
    """Run a command in a process of its own and return what it took.

    Args:
        command: program and arguments; it is started in the repository.
        timeout: seconds after which it is killed.
        good: exit codes with which it went well.
        variables: of its environment, beside those that every process is given.
    """
    quiet = {**environment(), "TF_CPP_MIN_LOG_LEVEL": "2", "MPLBACKEND": "Agg", **(variables or {})}
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=REPOSITORY, env=quiet, stdout=stdout, stderr=stderr)
        overdue = False
        try:
            while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
                if not overdue and time.perf_counter() - began > timeout:
                    overdue = True
                    process.kill()
                time.sleep(LOOK_EVERY)
        except BaseException:  # a person who ends the benchmark ends what it started
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - began
        _, status, usage = ended
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        stderr.seek(0)
        said, complained = stdout.read(), stderr.read().strip()
    failure = ""
    if overdue:
        failure = f"not done after {timeout:.0f} s"
    elif process.returncode not in good:
        failure = f"exit code {process.returncode}: ...{complained[-TOLD:]}"
    return Measured(
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=usage.ru_maxrss * PEAK_UNIT,
        exit_code=process.returncode,
        stdout=said,
        failure=failure,
    )
