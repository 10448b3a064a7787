"""Cost of short commands: `--help`, the digits run, and a run that reuses everything."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.measure import ProcessMeasurement, measure_process
from tests.benchmarks.programs import FINISHED, job_command
from tests.benchmarks.results import ResultsFile
from tests.benchmarks.table import number, print_table
from tests.support.processes import REPOSITORY

JOB = [sys.executable, "-m", "job"]


def measure_commands(mnist: Path, *, preset: str, scratch: Path, timeout: float, results: ResultsFile) -> None:
    """Measure and print all commands.

    Args:
        mnist: folder of IDX files.
        preset: whose ExampleGen and Transform are measured.
        scratch: folder for roots.
        timeout: seconds for each process.
        results: receives every process in the section `commands`.
    """
    digits = [*JOB, "run", "--config", str(REPOSITORY / "configs" / "digits.yaml"), "--json", "--root"]
    finished = str(scratch / "digits-0")
    commands: tuple[tuple[str, int, Callable[[int], list[str]]], ...] = (
        ("--help", 5, lambda _: [*JOB, "--help"]),
        ("digits, whole job", 3, lambda number: [*digits, str(scratch / f"digits-{number}")]),
        ("digits, everything reused", 5, lambda _: [*digits, finished]),
        (
            f"{preset}, ExampleGen and Transform",
            3,
            lambda number: [*job_command(preset, mnist, root=scratch / f"scaled-{number}"), "--until", "transform"],
        ),
    )
    rows = []
    for name, times, command in commands:
        measured = [measure_process(command(run), timeout=timeout, success_codes=FINISHED) for run in range(times)]
        for one in measured:
            results.append("commands", {"name": name, "wall": one.wall, "cpu": one.cpu, "peak": one.peak})
        if failure := next((one.failure for one in measured if one.failure), ""):
            results.add_failure(f"{name}: {failure}")
        else:
            rows.append(_row(name, measured))
    print_table(("commands, medians", "n", "wall s", "cpu s", "peak MB"), rows)


def _row(name: str, measured: list[ProcessMeasurement]) -> tuple[str, ...]:
    return (
        name,
        str(len(measured)),
        number(statistics.median(one.wall for one in measured)),
        number(statistics.median(one.cpu for one in measured)),
        number(max(one.peak for one in measured) / 1e6, 0),
    )
