"""What a person waits for every day: `--help`, the digits, and a run in which everything is reused."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.contestants import FINISHED, job_command
from tests.benchmarks.ledger import Ledger
from tests.benchmarks.measuring import Measured, measure
from tests.benchmarks.table import number, print_table
from tests.support.processes import REPOSITORY

JOB = [sys.executable, "-m", "job"]


def measure_everyday(mnist: Path, *, preset: str, scratch: Path, timeout: float, ledger: Ledger) -> None:
    """Measure and print them; every process goes to the section `everyday` of the ledger.

    Args:
        mnist: folder of IDX files.
        preset: the one of which ExampleGen and Transform are run.
        scratch: where roots are made.
        timeout: seconds that each process may take.
        ledger: every process is added to it.
    """
    digits = [*JOB, "run", "--config", str(REPOSITORY / "configs" / "digits.yaml"), "--json", "--root"]
    kept = str(scratch / "digits-0")
    rows: tuple[tuple[str, int, Callable[[int], list[str]]], ...] = (
        ("--help", 5, lambda _: [*JOB, "--help"]),
        ("digits, whole job", 3, lambda number: [*digits, str(scratch / f"digits-{number}")]),
        ("digits, everything reused", 5, lambda _: [*digits, kept]),
        (
            f"{preset}, ExampleGen and Transform",
            3,
            lambda number: [*job_command(preset, mnist, root=scratch / f"scaled-{number}"), "--until", "transform"],
        ),
    )
    told = []
    for name, times, command in rows:
        samples = [measure(command(number), timeout=timeout, good=FINISHED) for number in range(times)]
        for sample in samples:
            ledger.add("everyday", {"name": name, "wall": sample.wall, "cpu": sample.cpu, "peak": sample.peak})
        if failed := next((sample.failure for sample in samples if sample.failure), ""):
            ledger.fail(f"{name}: {failed}")
        else:
            told.append(_row(name, samples))
    print_table(("every day, medians", "n", "wall s", "cpu s", "most MB"), told)


def _row(name: str, samples: list[Measured]) -> tuple[str, ...]:
    return (
        name,
        str(len(samples)),
        number(statistics.median(sample.wall for sample in samples)),
        number(statistics.median(sample.cpu for sample in samples)),
        number(max(sample.peak for sample in samples) / 1e6, 0),
    )
