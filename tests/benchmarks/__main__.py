"""`make bench`: measure whole processes, print tables and write JSON. The options are in `options`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.benchmarks.claims import check_claims, print_claims
from tests.benchmarks.cold_start import measure_cold_start
from tests.benchmarks.commands import measure_commands
from tests.benchmarks.comparison import print_comparison, run_comparison
from tests.benchmarks.disturbance import Watch
from tests.benchmarks.growth import GrowthPlan, measure_growth
from tests.benchmarks.growth_plot import draw_growth
from tests.benchmarks.large import LargeData
from tests.benchmarks.machine import describe_machine, print_machine, torch_version
from tests.benchmarks.measure import measure_process
from tests.benchmarks.options import parse, select_seeds
from tests.benchmarks.programs import FAST, PROGRAMS, Inputs, idx_source, preset_path
from tests.benchmarks.remote import measure_remote
from tests.benchmarks.results import ResultsFile, code_digest, earlier_measurements
from tests.benchmarks.resuming import measure_checkpoints, measure_termination
from tests.benchmarks.samples import summarize
from tests.benchmarks.scaling import fit_scalings, print_scalings
from tests.benchmarks.workers import measure_workers


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """The arguments of every section."""

    options: argparse.Namespace
    inputs: Inputs
    scratch: Path
    results: ResultsFile


def main() -> int:
    """Run the selected sections; return 1 if a measurement failed."""
    options = parse()
    if options.image:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            measure_cold_start(options.image, Path(folder), times=7)
        return 0
    torch = torch_version(options.torch)
    machine = describe_machine(torch)
    print_machine(machine)
    arguments = [argument for argument in sys.argv[1:] if argument != "--resume"]
    origin: dict[str, Any] = {"arguments": arguments, "machine": machine, "code": code_digest()}
    kept = earlier_measurements(options.json, **origin) if options.resume else {}
    results = ResultsFile(options.json, **origin, **kept)
    # Speeds of a resumed benchmark are relative to the same maximum.
    Watch.fastest = max((one["disturbance"]["fastest"] for items in kept.values() for one in items), default=0.0)
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.output.resolve(), prefix="bench-") as folder:
        scratch = Path(folder)
        mnist = options.mnist or scratch / "mnist"
        if options.mnist is None and not set(options.sections) <= {"growth", "workers"}:
            write_mnist(mnist, timeout=options.timeout)
        inputs = Inputs(mnist=mnist.resolve(), torch=options.torch if torch else None)
        benchmark = Benchmark(options=options, inputs=inputs, scratch=scratch, results=results)
        for section in options.sections:
            print(f"\n{section}", flush=True)
            SECTIONS[section](benchmark)
    print(f"all results: {options.json}")
    return 1 if results.has_failures else 0


def write_mnist(folder: Path, *, timeout: float) -> None:
    """Write MNIST's IDX files, in a process of its own."""
    print("MNIST, from tensorflow-datasets ...", flush=True)
    done = measure_process([sys.executable, "-m", "tests.benchmarks.mnist", str(folder)], timeout=timeout)
    if done.failure:
        raise SystemExit(f"error: MNIST is not available: {done.failure}\n  remedy:   set a folder: MNIST=folder")


def comparison(benchmark: Benchmark) -> None:
    options, results = benchmark.options, benchmark.results
    seeds = select_seeds(extent=options.extent, only=options.only, seeds=options.seeds)
    samples = run_comparison(
        seeds,
        benchmark.inputs,
        scratch=benchmark.scratch,
        timeout=options.timeout,
        results=results,
        attempts=options.attempts,
    )
    claims = check_claims(samples)
    print_comparison(PROGRAMS, samples, unit=FAST)
    print_claims(claims)
    results.put("summaries", summarize(samples))
    results.put("claims", claims)


def growth(benchmark: Benchmark) -> None:
    options = benchmark.options
    plan = GrowthPlan(
        factors=options.sizes,
        base=options.base,
        preset=options.preset,
        timeout=options.timeout,
        attempts=options.attempts,
    )
    points = measure_growth(plan, scratch=benchmark.scratch, results=benchmark.results)
    if points:
        scalings = fit_scalings(points)
        benchmark.results.put("scaling", scalings)
        print_scalings(points, scalings)
        # Matplotlib in this process would be a part of the peak memory of all processes that it starts later.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            figure = pool.submit(draw_growth, points, scalings, options.output / "bench-growth.png").result()
        print(f"figure: {figure}")


def commands(benchmark: Benchmark) -> None:
    options = benchmark.options
    measure_commands(
        benchmark.inputs.mnist,
        preset=options.preset,
        scratch=benchmark.scratch,
        timeout=options.timeout,
        attempts=options.attempts,
        results=benchmark.results,
    )


def resuming(benchmark: Benchmark) -> None:
    options, scratch = benchmark.options, benchmark.scratch
    config, overrides = preset_path(options.preset), idx_source(benchmark.inputs.mnist)
    checkpoints = measure_checkpoints(
        config,
        overrides,
        scratch / "resuming",
        times=len(options.seeds or range(3)),
        timeout=options.timeout,
        attempts=options.attempts,
    )
    benchmark.results.put("resuming", checkpoints)
    terminations = measure_termination(config, overrides, scratch / "termination", times=5, attempts=options.attempts)
    benchmark.results.put("termination", terminations)


def remote(benchmark: Benchmark) -> None:
    options = benchmark.options
    measure_remote(
        preset_path(options.preset),
        idx_source(benchmark.inputs.mnist),
        times=len(options.seeds or range(3)),
        scratch=benchmark.scratch,
        timeout=options.timeout,
        attempts=options.attempts,
        results=benchmark.results,
    )


def workers(benchmark: Benchmark) -> None:
    options = benchmark.options
    times = len(options.seeds or range(3))
    measure_workers(benchmark.scratch, times=times, attempts=options.attempts, results=benchmark.results)


def large(benchmark: Benchmark) -> None:
    options = benchmark.options
    data = LargeData(
        preset=options.preset,
        mnist=benchmark.inputs.mnist,
        scratch=benchmark.scratch,
        timeout=options.timeout,
        attempts=options.attempts,
        results=benchmark.results,
    )
    data.measure()


SECTIONS: Mapping[str, Callable[[Benchmark], None]] = {
    "comparison": comparison,
    "growth": growth,
    "commands": commands,
    "resuming": resuming,
    "remote": remote,
    "workers": workers,
    "large": large,
}

if __name__ == "__main__":
    raise SystemExit(main())
