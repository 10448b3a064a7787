"""`make bench`: whole processes, measured by the operating system, as tables and as JSON. See `options`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.claims import judge, print_claims
from tests.benchmarks.cold_start import measure_cold_start
from tests.benchmarks.contest import hold_contest, print_contest
from tests.benchmarks.contestants import CONTESTANTS, FAST, Place, config_of
from tests.benchmarks.everyday import measure_everyday
from tests.benchmarks.growth import Growth, measure_growth
from tests.benchmarks.growth_plot import draw_growth
from tests.benchmarks.ledger import Ledger
from tests.benchmarks.machine import describe_machine, tell_machine, torch_version
from tests.benchmarks.measuring import measure
from tests.benchmarks.options import parse, seeds_of
from tests.benchmarks.resuming import measure_ending, measure_resuming
from tests.benchmarks.samples import summarize
from tests.benchmarks.scaling import print_scaling, scale


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What every section is given."""

    options: argparse.Namespace
    place: Place
    scratch: Path
    ledger: Ledger


def main() -> int:
    """Measure, print, and write the JSON as it goes; return 1 if something could not be measured."""
    options = parse()
    if options.image:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            measure_cold_start(options.image, Path(folder), times=7)
        return 0
    torch = torch_version(options.torch)
    machine = describe_machine(torch)
    tell_machine(machine)
    ledger = Ledger(options.json, arguments=sys.argv[1:], machine=machine)
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.output.resolve(), prefix="bench-") as folder:
        scratch = Path(folder)
        mnist = options.mnist or scratch / "mnist"
        if options.mnist is None and set(options.sections) != {"growth"}:
            get_mnist(mnist, timeout=options.timeout)
        place = Place(mnist=mnist.resolve(), torch=options.torch if torch else None)
        bench = Bench(options=options, place=place, scratch=scratch, ledger=ledger)
        for section in options.sections:
            print(f"\n{section}", flush=True)
            SECTIONS[section](bench)
    print(f"all of it: {options.json}")
    return 1 if ledger.failed else 0


def get_mnist(folder: Path, *, timeout: float) -> None:
    """Write MNIST's IDX files, in a process of its own."""
    print("MNIST, from tensorflow-datasets ...", flush=True)
    done = measure([sys.executable, "-m", "tests.benchmarks.mnist", str(folder)], timeout=timeout)
    if done.failure:
        raise SystemExit(f"error: MNIST could not be had: {done.failure}\n  remedy:   name a folder: MNIST=folder")


def contest(bench: Bench) -> None:
    options = bench.options
    seeds = seeds_of(extent=options.extent, only=options.only, seeds=options.seeds)
    samples = hold_contest(seeds, bench.place, scratch=bench.scratch, timeout=options.timeout, ledger=bench.ledger)
    claims = judge(samples)
    print_contest(CONTESTANTS, samples, unit=FAST)
    print_claims(claims)
    bench.ledger.put("summaries", summarize(samples))
    bench.ledger.put("claims", claims)


def growth(bench: Bench) -> None:
    options = bench.options
    what = Growth(sizes=options.sizes, base=options.base, preset=options.preset, timeout=options.timeout)
    measured = measure_growth(what, scratch=bench.scratch, ledger=bench.ledger)
    if measured:
        scalings = scale(measured)
        bench.ledger.put("scaling", scalings)
        print_scaling(measured, scalings)
        print(f"picture: {draw_growth(measured, scalings, options.output / 'bench-growth.png')}")


def everyday(bench: Bench) -> None:
    options = bench.options
    measure_everyday(
        bench.place.mnist, preset=options.preset, scratch=bench.scratch, timeout=options.timeout, ledger=bench.ledger
    )


def resuming(bench: Bench) -> None:
    config = config_of(bench.options.preset)
    overrides = ["example_gen.source.kind=idx", f"example_gen.source.path={bench.place.mnist}"]
    times = len(bench.options.seeds or range(3))
    bench.ledger.put("resuming", measure_resuming(config, overrides, bench.scratch / "resuming", times=times))
    bench.ledger.put("ending", measure_ending(config, overrides, bench.scratch / "ending", times=5))


SECTIONS: Mapping[str, Callable[[Bench], None]] = {
    "contest": contest,
    "growth": growth,
    "everyday": everyday,
    "resuming": resuming,
}

if __name__ == "__main__":
    raise SystemExit(main())
