"""The contest: whole processes, round by round, every contestant once a round."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.benchmarks.contestants import Contestant, Place
from tests.benchmarks.ledger import Ledger
from tests.benchmarks.measuring import measure
from tests.benchmarks.samples import Sample, Summary, summarize
from tests.benchmarks.table import number, percent, print_table

WORTH_A_LINE = 0.01
"""CPU-seconds from which a part is told by its name."""


def hold_contest(
    seeds: Mapping[Contestant, Sequence[int]], place: Place, *, scratch: Path, timeout: float, ledger: Ledger
) -> list[Sample]:
    """Run the contestants in turn, and print a line a sample; one that fails is left out of what follows.

    Args:
        seeds: the seeds of each contestant, one a round.
        place: what they are given.
        scratch: where each has a folder of its own while it runs.
        timeout: seconds that each may take.
        ledger: every sample goes to its section `samples`.
    """
    for contestant in seeds:
        if why := contestant.missing(place):
            print(f"skipped: {contestant.title}: {why}", flush=True)
    running = {contestant: own for contestant, own in seeds.items() if not contestant.missing(place)}
    samples: list[Sample] = []
    for number_of_round, contestant, seed in in_turn(running):
        if any(sample.failure for sample in samples if sample.contestant == contestant.name):
            continue
        sample = run_once(contestant, place, seed=seed, round_=number_of_round, scratch=scratch, timeout=timeout)
        samples.append(sample)
        ledger.add("samples", sample)
        if sample.failure:
            ledger.fail(f"{contestant.title}, seed {seed}: {sample.failure}")
        else:
            print(_line(contestant, sample), flush=True)
    print()
    return samples


def in_turn(seeds: Mapping[Contestant, Sequence[int]]) -> Iterator[tuple[int, Contestant, int]]:
    """Yield round, contestant and seed: every contestant once a round, as long as it has seeds left."""
    for number_of_round in range(max(map(len, seeds.values()), default=0)):
        for contestant, own in seeds.items():
            if number_of_round < len(own):
                yield number_of_round, contestant, own[number_of_round]


def run_once(contestant: Contestant, place: Place, *, seed: int, round_: int, scratch: Path, timeout: float) -> Sample:
    """Run a contestant in a process of its own; what it wrote is removed."""
    folder = scratch / f"{contestant.name}-{seed}"
    command = contestant.command(place, seed=seed, scratch=folder)
    try:
        took = measure(command, timeout=timeout, good=contestant.good)
        if took.failure:
            return Sample(contestant=contestant.name, seed=seed, round=round_, failure=took.failure)
        told, corrected = contestant.read(took.stdout), contestant.corrected(folder)
    except (ValueError, LookupError) as error:
        failure = f"what it said cannot be read ({error}): ...{took.stdout[-200:]}"
        return Sample(contestant=contestant.name, seed=seed, round=round_, failure=failure)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Sample(
        contestant=contestant.name,
        seed=seed,
        round=round_,
        wall=took.wall - told.aside_wall,
        cpu=took.cpu - told.aside,
        peak=took.peak,
        accuracy=told.accuracy,
        corrected=corrected,
        training=told.training,
        training_wall=told.training_wall,
        parts=told.parts,
        curve=told.curve,
    )


def _line(contestant: Contestant, sample: Sample) -> str:
    head = f"round {sample.round + 1}  {contestant.title:<34}  seed {sample.seed}"
    trained = "" if sample.training is None else f"  training {sample.training:7.2f} cpu s"
    accuracy = "" if sample.accuracy is None else f"  {percent(sample.accuracy)} %"
    return f"{head}  {sample.wall:8.2f} s  {sample.cpu:8.2f} cpu s  {sample.peak / 1e6:6.0f} MB{trained}{accuracy}"


def print_contest(contestants: Sequence[Contestant], samples: Sequence[Sample], *, unit: str) -> None:
    """Print what the samples come to, and the accuracies one by one.

    Args:
        contestants: in the order in which they are told.
        samples: of all of them.
        unit: the contestant whose CPU-seconds the others' are divided by.
    """
    summaries = summarize(samples)
    told = [contestant for contestant in contestants if contestant.name in summaries]
    rows = [_row(contestant, summaries[contestant.name], summaries.get(unit)) for contestant in told]
    ratio = f"cpu / {unit}"
    header = ("medians", "n", "wall s", "cpu s", ratio, "training cpu s", "other cpu s", "most MB", "accuracy %")
    print_table(header, rows)
    print_table(
        ("test accuracy, %", "mean", "sd", "mean, labels corrected", "one by one"),
        [
            (
                contestant.title,
                percent(summary.accuracy, 3),
                percent(summary.deviation, 3),
                percent(summary.corrected, 3),
                ", ".join(percent(accuracy) for accuracy in summary.accuracies),
            )
            for contestant in told
            if (summary := summaries[contestant.name]).accuracies
        ],
    )
    for contestant in told:
        _print_parts(contestant, summaries[contestant.name])


def _print_parts(contestant: Contestant, summary: Summary) -> None:
    rows = [(part, number(seconds)) for part, seconds in summary.parts.items() if seconds >= WORTH_A_LINE]
    if small := sum(seconds for seconds in summary.parts.values() if seconds < WORTH_A_LINE):
        rows.append((f"smaller parts, below {WORTH_A_LINE:g} each", number(small)))
    if rows and summary.beside is not None:
        rows.append(("beside all these, as the process's end", number(summary.beside - sum(summary.parts.values()))))
    if rows:
        print_table((f"{contestant.title}: beside training", "cpu s"), rows)


def _row(contestant: Contestant, summary: Summary, unit: Summary | None) -> tuple[str, ...]:
    return (
        contestant.title,
        str(summary.count),
        number(summary.wall),
        number(summary.cpu),
        number(summary.cpu / unit.cpu if unit else None),
        number(summary.training),
        number(summary.beside),
        number(summary.peak / 1e6, 0),
        percent(summary.accuracy),
    )
