"""Comparison of the job with other programs: whole processes, in rounds with one run of every program."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from tests.benchmarks.disturbance import undisturbed
from tests.benchmarks.measure import measure_process
from tests.benchmarks.programs import Inputs, Program
from tests.benchmarks.results import ResultsFile
from tests.benchmarks.samples import Sample, Summary, ratio, summarize
from tests.benchmarks.table import number, percent, print_table

MIN_PART_CPU_SECONDS = 0.01
"""Smaller parts are printed as their sum."""


def run_comparison(
    seeds: Mapping[Program, Sequence[int]],
    inputs: Inputs,
    *,
    scratch: Path,
    timeout: float,
    results: ResultsFile,
    attempts: int,
) -> list[Sample]:
    """Run the programs in rounds and print a line for each sample. A program that fails has no further runs.

    Samples that `results` already has are not measured again.

    Args:
        seeds: the seeds of each program, one for each round.
        inputs: for every program.
        scratch: folder for the files of a running program.
        timeout: seconds for each run.
        results: receives every sample in the section `samples`.
        attempts: see `undisturbed`.
    """
    for program in seeds:
        if why := program.why_unavailable(inputs):
            print(f"skipped: {program.title}: {why}", flush=True)
    present = {program: own for program, own in seeds.items() if not program.why_unavailable(inputs)}
    earlier = {(one.program, one.round, one.seed): one for one in results.items("samples", Sample)}
    samples: list[Sample] = []
    for round_number, program, seed in in_rounds(present):
        if found := earlier.get((program.name, round_number, seed)):
            samples.append(found)
            print(_line(program, found), flush=True)
            continue
        if any(sample.failure for sample in samples if sample.program == program.name):
            continue
        once = partial(run_once, program, inputs, seed=seed, round_=round_number, scratch=scratch, timeout=timeout)
        sample = undisturbed(once, lambda found: found.disturbance, attempts=attempts)
        samples.append(sample)
        results.append("samples", sample)
        if sample.failure:
            results.add_failure(f"{program.title}, seed {seed}: {sample.failure}")
        else:
            print(_line(program, sample), flush=True)
    print()
    return samples


def in_rounds(seeds: Mapping[Program, Sequence[int]]) -> Iterator[tuple[int, Program, int]]:
    """Yield round, program and seed: in each round every program that has a seed for it."""
    for round_number in range(max(map(len, seeds.values()), default=0)):
        for program, own in seeds.items():
            if round_number < len(own):
                yield round_number, program, own[round_number]


def run_once(program: Program, inputs: Inputs, *, seed: int, round_: int, scratch: Path, timeout: float) -> Sample:
    """Run a program in a process of its own and delete its files."""
    folder = scratch / f"{program.name}-{seed}"
    command = program.bound_command(inputs, seed=seed, scratch=folder)
    try:
        measured = measure_process(command, timeout=timeout, success_codes=program.success_codes)
        if measured.failure:
            return Sample(program=program.name, seed=seed, round=round_, failure=measured.failure)
        output, corrected = program.parse(measured.stdout), program.corrected_accuracy(folder)
    except (ValueError, LookupError) as error:
        failure = f"invalid output ({error}): ...{measured.stdout[-200:]}"
        return Sample(program=program.name, seed=seed, round=round_, failure=failure)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Sample(
        program=program.name,
        seed=seed,
        round=round_,
        wall=measured.wall - output.excluded_wall,
        cpu=measured.cpu - output.excluded,
        peak=measured.peak,
        accuracy=output.accuracy,
        corrected=corrected,
        training=output.training,
        training_wall=output.training_wall,
        parts=output.parts,
        curve=output.curve,
        disturbance=measured.disturbance,
    )


def _line(program: Program, sample: Sample) -> str:
    head = f"round {sample.round + 1}  {program.title:<34}  seed {sample.seed}"
    trained = "" if sample.training is None else f"  training {sample.training:7.2f} cpu s"
    accuracy = "" if sample.accuracy is None else f"  {percent(sample.accuracy)} %"
    disturbed = "  DISTURBED" if sample.is_disturbed else ""
    costs = f"{sample.wall:8.2f} s  {sample.cpu:8.2f} cpu s  {sample.peak / 1e6:6.0f} MB"
    return f"{head}  {costs}{trained}{accuracy}{disturbed}"


def print_comparison(programs: Sequence[Program], samples: Sequence[Sample], *, unit: str) -> None:
    """Print the medians, the accuracies and the parts of each program.

    Args:
        programs: in the order of the rows.
        samples: of all programs.
        unit: name of the program whose CPU-seconds divide those of the others.
    """
    summaries = summarize(samples)
    measured = [program for program in programs if program.name in summaries]
    cpu_ratios = {each.name: ratio(samples, each.name, unit, lambda sample: sample.cpu) for each in measured}
    rows = [_row(program, summaries[program.name], cpu_ratios[program.name]) for program in measured]
    header = (
        "medians",
        "n",
        "disturbed",
        "wall s",
        "cpu s",
        f"cpu / {unit}",
        "training cpu s",
        "training s",
        "other cpu s",
        "peak MB",
        "accuracy %",
    )
    print_table(header, rows)
    print_table(
        ("test accuracy, %", "mean", "sd", "mean, labels corrected", "by round"),
        [
            (
                program.title,
                percent(summary.accuracy, 3),
                percent(summary.deviation, 3),
                percent(summary.corrected, 3),
                ", ".join(percent(accuracy) for accuracy in summary.accuracies),
            )
            for program in measured
            if (summary := summaries[program.name]).accuracies
        ],
    )
    for program in measured:
        _print_parts(program, summaries[program.name])


def _print_parts(program: Program, summary: Summary) -> None:
    rows = [(part, number(seconds)) for part, seconds in summary.parts.items() if seconds >= MIN_PART_CPU_SECONDS]
    if small := sum(seconds for seconds in summary.parts.values() if seconds < MIN_PART_CPU_SECONDS):
        rows.append((f"parts below {MIN_PART_CPU_SECONDS:g} s each", number(small)))
    if rows and summary.other_cpu is not None:
        rows.append(("outside of all parts, such as exit", number(summary.other_cpu - sum(summary.parts.values()))))
    if rows:
        print_table((f"{program.title}: outside of training", "cpu s"), rows)


def _row(program: Program, summary: Summary, cpu_ratio: float | None) -> tuple[str, ...]:
    return (
        program.title,
        str(summary.count),
        str(summary.disturbed),
        number(summary.wall),
        number(summary.cpu),
        number(cpu_ratio),
        number(summary.training),
        number(summary.training_wall),
        number(summary.other_cpu),
        number(summary.peak / 1e6, 0),
        percent(summary.accuracy),
    )
