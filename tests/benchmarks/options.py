"""Command line of the benchmark.

comparison   the presets and the peers, in rounds, and the claims about them
growth       time and memory of each component with 1, 3, 10 and 30 times the images of MNIST, and a figure
commands     `--help`, the digits, a run that reuses everything, plan, compare, runs, and predict --out
resuming     the cost of checkpoints, and the time from SIGTERM to the exit; only if selected
remote       a root in object storage compared with a folder; only if selected
workers      CPU time and bytes on the wire of a training step with 1, 2 and 3 workers; only if selected, and as root
large        ExampleGen, Transform and reading of 7,000,000 images; only if selected

make bench                              commands, comparison and growth: hours
make bench BENCH=quick                  the claims and two sizes of growth: minutes
make bench MNIST=folder TORCH=python    with your IDX files, and an interpreter that can import PyTorch
make bench ARGS="comparison --only mnist-fast,record --seeds 0,1"
make bench ARGS=--resume                continue an interrupted `make bench`; repeat its other arguments
make bench ARGS="--image mnist-job:cpu" only the delay until training starts in a container
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.disturbance import MAX_ATTEMPTS
from tests.benchmarks.programs import FAST, PROGRAMS, Program, preset_path
from tests.support.processes import REPOSITORY

SECTIONS = ("comparison", "growth", "commands", "resuming", "remote", "workers", "large")
SECTIONS_BY_EXTENT = {"full": ("commands", "comparison", "growth"), "quick": ("comparison", "growth")}
FACTORS_BY_EXTENT = {"full": (1, 3, 10, 30), "quick": (1, 3)}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; `--extent` determines the defaults."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    names = [program.name for program in PROGRAMS]
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--extent", choices=SECTIONS_BY_EXTENT, default="full", help="the value of BENCH")
    parser.add_argument("--mnist", type=Path, help="folder of the four IDX files (default: from tensorflow-datasets)")
    parser.add_argument("--torch", default=sys.executable, help="interpreter that can import PyTorch")
    parser.add_argument("--only", type=lambda text: text.split(","), help=f"of {', '.join(names)}")
    parser.add_argument("--seeds", type=_integers, help="one for each round, for all programs (default: 0, 1, ...)")
    parser.add_argument("--sizes", type=_integers, help="sizes for growth, in units of --base")
    parser.add_argument("--base", type=int, default=70_000, help="images of size 1 (70000, as in MNIST)")
    parser.add_argument("--preset", default=FAST, help=f"preset for all sections but comparison and workers ({FAST})")
    parser.add_argument("--timeout", type=float, default=7200, help="seconds for each process (7200)")
    parser.add_argument(
        "--attempts",
        type=int,
        default=MAX_ATTEMPTS,
        help="maximum number of runs of each measurement until one is undisturbed; "
        f"with 1, do not wait for other programs ({MAX_ATTEMPTS})",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep the valid measurements of comparison, growth and commands in the JSON file",
    )
    parser.add_argument("--output", type=Path, default=REPOSITORY / "output", help="folder for results")
    parser.add_argument("--json", type=Path, help="file of all results (OUTPUT/bench.json)")
    parser.add_argument("--image", help="measure only the delay of training in a container of this image")
    options = parser.parse_args(arguments)
    options.sections = options.sections or SECTIONS_BY_EXTENT[options.extent]
    options.sizes = options.sizes or FACTORS_BY_EXTENT[options.extent]
    options.json = options.json or options.output / "bench.json"
    for kind, given, known in (("section", options.sections, SECTIONS), ("program", options.only or (), names)):
        if unknown := [word for word in given if word not in known]:
            parser.error(f"unknown {kind} {', '.join(unknown)}")
    if set(options.sections) != {"comparison"} and not preset_path(options.preset).exists():
        parser.error(f"unknown preset {options.preset}")
    return options


def _integers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def select_seeds(
    *, extent: str, only: Sequence[str] | None, seeds: Sequence[int] | None
) -> Mapping[Program, Sequence[int]]:
    """Return the programs to run and their seeds, one for each round.

    Args:
        extent: `full` or `quick`.
        only: names of programs; None for all programs of the extent.
        seeds: for all programs; None for 0, 1, ... up to the number of rounds of each program.
    """
    chosen: dict[Program, Sequence[int]] = {}
    for program in PROGRAMS:
        rounds = program.quick_rounds if extent == "quick" else program.rounds
        if only is not None:
            rounds = max(rounds, 1) if program.name in only else 0
        if rounds:
            chosen[program] = seeds or range(rounds)
    return chosen
