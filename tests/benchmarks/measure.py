"""Measurement of one whole process by the operating system: wall time, CPU time and peak memory.

A child process begins as a copy of its parent, and Linux includes that copy in the child's peak memory. So a process
that measures must stay small: it imports neither NumPy nor anything as large, and leaves work on data to other
processes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.disturbance import Disturbance, Watch, undisturbed
from tests.benchmarks.process_tree import TreeUsage, read_tree
from tests.support.processes import REPOSITORY, environment

PEAK_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
"""The unit of `ru_maxrss`."""
POLL_SECONDS = 0.002
"""The wall time can be too long by this."""
TREE_SECONDS = 1.0
"""Between two readings of the memory of a process tree."""
MAX_ERROR_CHARACTERS = 600


@dataclass(frozen=True, kw_only=True)
class ProcessMeasurement:
    """Resource use and output of one process.

    Attributes:
        wall: seconds from start to end.
        cpu: CPU-seconds of all threads, user and system.
        peak: peak resident memory in bytes.
        own_cpu: CPU-seconds without child processes, until at most `TREE_SECONDS` before the end.
        tree_peak: peak resident memory in bytes of the process and its descendants together, read every `TREE_SECONDS`.
        exit_code: negative if a signal ended the process.
        failure: why the measurement is invalid; empty if it is valid.
        disturbance: what other programs did meanwhile.
    """

    wall: float
    cpu: float
    peak: int
    own_cpu: float
    tree_peak: int
    exit_code: int
    stdout: str
    failure: str
    disturbance: Disturbance


def measure_process(
    command: Sequence[str],
    *,
    timeout: float,
    success_codes: Sequence[int] = (0,),
    variables: Mapping[str, str] | None = None,
    server_cpu: Callable[[], float] = lambda: 0.0,
) -> ProcessMeasurement:
    """Run a command in the repository and measure it.

    Args:
        command: program and arguments.
        timeout: seconds after which the process is killed.
        success_codes: exit codes with which the measurement is valid.
        variables: additional environment variables.
        server_cpu: returns the CPU-seconds so far of a server that the command uses: it does not disturb the run.
    """
    quiet = {**environment(), "TF_CPP_MIN_LOG_LEVEL": "2", "MPLBACKEND": "Agg", **(variables or {})}
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        served, watch = server_cpu(), Watch()
        started = read = time.perf_counter()
        tree, tree_peak = TreeUsage(), 0
        process = subprocess.Popen(command, cwd=REPOSITORY, env=quiet, stdout=stdout, stderr=stderr)
        timed_out = False
        try:
            while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
                now = time.perf_counter()
                if not timed_out and now - started > timeout:
                    timed_out = True
                    process.kill()
                if now - read > TREE_SECONDS:
                    read, tree = now, read_tree(process.pid)
                    tree_peak = max(tree_peak, tree.resident)
                time.sleep(POLL_SECONDS)
        except BaseException:  # Ctrl-C ends the measured process too
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - started
        _, status, usage = ended
        cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * PEAK_UNIT_BYTES
        disturbance = watch.stop(cpu + server_cpu() - served)
        process.returncode = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        stderr.seek(0)
        output, errors = stdout.read(), stderr.read().strip()
    failure = ""
    if timed_out:
        failure = f"not finished after {timeout:.0f} s"
    elif process.returncode not in success_codes:
        failure = f"exit code {process.returncode}: ...{errors[-MAX_ERROR_CHARACTERS:]}"
    return ProcessMeasurement(
        wall=wall,
        cpu=cpu,
        peak=peak,
        own_cpu=tree.own_cpu,
        tree_peak=max(peak, tree_peak),
        exit_code=process.returncode,
        stdout=output,
        failure=failure,
        disturbance=disturbance,
    )


def measure_undisturbed(
    command: Callable[[], Sequence[str]], *, timeout: float, success_codes: Sequence[int] = (0,), attempts: int
) -> ProcessMeasurement:
    """Measure a command, again if a run is disturbed (see `undisturbed`).

    Args:
        command: returns the command of the next run, which must not reuse results of an earlier run (`without`).
        timeout: see `measure_process`.
        success_codes: see `measure_process`.
        attempts: maximum number of runs.
    """
    return undisturbed(
        lambda: measure_process(command(), timeout=timeout, success_codes=success_codes),
        lambda measured: None if measured.failure else measured.disturbance,
        attempts=attempts,
    )


def without(output: Path, command: Sequence[str]) -> Callable[[], Sequence[str]]:
    """Return a function that deletes what an earlier attempt wrote, and returns a command that would reuse it."""

    def next_command() -> Sequence[str]:
        shutil.rmtree(output, ignore_errors=True)
        return command

    return next_command
