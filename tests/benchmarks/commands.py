"""Cost of short commands: `--help`, the digits run, a run that reuses everything, and commands that read the store."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from tests.benchmarks.measure import measure_undisturbed
from tests.benchmarks.programs import FINISHED, job_command
from tests.benchmarks.results import ResultsFile
from tests.benchmarks.samples import Sample, summarize
from tests.benchmarks.table import number, print_table
from tests.support.processes import REPOSITORY

JOB = [sys.executable, "-m", "job"]
MANY_RUNS = 5_000


def measure_commands(
    mnist: Path, *, preset: str, scratch: Path, timeout: float, attempts: int, results: ResultsFile
) -> None:
    """Measure and print all commands; only print them if `results` has all of them.

    Args:
        mnist: folder of IDX files.
        preset: whose ExampleGen and Transform are measured.
        scratch: folder for roots.
        timeout: seconds for each process.
        attempts: see `undisturbed`.
        results: receives every process in the section `commands`.
    """
    digits = [*JOB, "run", "--config", str(REPOSITORY / "configs" / "digits.yaml"), "--json", "--root"]
    finished, many = scratch / "digits-0", scratch / "many-runs-0"
    commands: tuple[tuple[str, int, Callable[[int], list[str]]], ...] = (
        ("--help", 5, lambda _: [*JOB, "--help"]),
        ("digits, whole job", 3, lambda attempt: [*digits, str(scratch / f"digits-{attempt}")]),
        ("digits, everything reused", 5, lambda _: [*digits, str(finished)]),
        ("digits, another seed", 1, lambda attempt: [*digits, str(finished), "--set", f"seed={attempt + 1}"]),
        ("plan, training again", 5, lambda _: job("plan", "--config=digits", "--set=trainer.epochs=3", root=finished)),
        ("compare, two seeds", 5, lambda _: job("compare", *first_and_last_run(finished), root=finished)),
        (
            "predict --out, MNIST",
            3,
            lambda attempt: job("predict", mnist, f"--out={scratch}/out-{attempt}", root=finished),
        ),
        (
            f"runs, {MANY_RUNS:,}, the first time",
            1,
            lambda attempt: job("runs", root=write_many_runs(finished, scratch / f"many-runs-{attempt}")),
        ),
        (f"runs, {MANY_RUNS:,}", 5, lambda _: job("runs", root=many)),
        (
            f"{preset}, ExampleGen and Transform",
            3,
            lambda attempt: [*job_command(preset, mnist, root=scratch / f"scaled-{attempt}"), "--until", "transform"],
        ),
    )
    if len(results.items("commands", Sample)) < sum(times for _, times, _ in commands):
        results.put("commands", [])
        for name, times, command in commands:
            next_command = map(command, count()).__next__
            for round_number in range(times):
                measured = measure_undisturbed(next_command, timeout=timeout, success_codes=FINISHED, attempts=attempts)
                if measured.failure:
                    results.add_failure(f"{name}: {measured.failure}")
                    break
                sample = Sample(
                    program=name,
                    round=round_number,
                    wall=measured.wall,
                    cpu=measured.cpu,
                    peak=measured.peak,
                    disturbance=measured.disturbance,
                )
                results.append("commands", sample)
    rows = [
        (
            name,
            str(summary.count),
            str(summary.disturbed),
            number(summary.wall),
            number(summary.cpu),
            number(summary.peak / 1e6, 0),
        )
        for name, summary in summarize(results.items("commands", Sample)).items()
    ]
    print_table(("commands, medians", "n", "disturbed", "wall s", "cpu s", "peak MB"), rows)


def job(*words: object, root: Path) -> list[str]:
    """Return a command of the job."""
    return [*JOB, *map(str, words), "--root", str(root)]


def first_and_last_run(root: Path) -> list[str]:
    """Return the ids of two runs."""
    ids = sorted(path.parent.name for path in (root / "runs").glob("2*/run.json"))
    return [ids[0], ids[-1]]


def write_many_runs(finished: Path, root: Path) -> Path:
    """Write a root whose many runs are copies of one record, a minute apart, each with another seed; return it."""
    record = json.loads((finished / "runs" / "latest" / "run.json").read_text())
    first = datetime(2026, 1, 1, tzinfo=UTC)
    for seed in range(MANY_RUNS):
        started = first + timedelta(minutes=seed)
        run_id = f"{started:%Y%m%d-%H%M%S}-0000000"
        changed = {"run_id": run_id, "started": started.isoformat(), "config": {**record["config"], "seed": seed}}
        folder = root / "runs" / run_id
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({**record, **changed}, indent=2))
    return root
