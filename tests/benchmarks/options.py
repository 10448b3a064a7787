"""The command line of the benchmark.

contest    the presets and the peers, round by round, and what must be seen of them
growth     each component's time and memory with 1, 3, 10 and 30 times MNIST, made up; and a picture of it
everyday   `--help`, the digits, a run in which everything is reused
resuming   what checkpoints cost, and how long ending on request takes (only where it is asked for)

make bench                              everyday, contest and growth: hours
make bench BENCH=quick                  the claims and a little growth: minutes
make bench MNIST=folder TORCH=python    IDX files that are at hand; an interpreter that has PyTorch
make bench ARGS="contest --only mnist-fast,record --seeds 0,1"
make bench ARGS="--image mnist-job:cpu" only how much later a job trains that begins in a container
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.contestants import CONTESTANTS, FAST, Contestant, config_of
from tests.support.processes import REPOSITORY

SECTIONS = ("contest", "growth", "everyday", "resuming")
BY_EXTENT = {"full": ("everyday", "contest", "growth"), "quick": ("contest", "growth")}
SIZES = {"full": (1, 3, 10, 30), "quick": (1, 3)}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; what it leaves open is as `--extent` says."""
    parser = argparse.ArgumentParser(
        prog="make bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    names = [contestant.name for contestant in CONTESTANTS]
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--extent", choices=BY_EXTENT, default="full", help="what BENCH says")
    parser.add_argument("--mnist", type=Path, help="folder of the four IDX files (else from tensorflow-datasets)")
    parser.add_argument("--torch", default=sys.executable, help="interpreter that has PyTorch")
    parser.add_argument("--only", type=lambda text: text.split(","), help=f"of {', '.join(names)}")
    parser.add_argument("--seeds", type=_numbers, help="one a round, for every contestant (else 0, 1, ... of each)")
    parser.add_argument("--sizes", type=_numbers, help="how many times --base images growth is measured at")
    parser.add_argument("--base", type=int, default=70_000, help="images of size 1 (as many as MNIST)")
    parser.add_argument("--preset", default=FAST, help=f"what is grown and resumed ({FAST})")
    parser.add_argument("--timeout", type=float, default=7200, help="seconds that a process may take (7200)")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "output", help="folder of results and scratch")
    parser.add_argument("--json", type=Path, help="where all that was measured goes (OUTPUT/bench.json)")
    parser.add_argument("--image", help="measure only how much later a job trains in a container of this image")
    options = parser.parse_args(arguments)
    options.sections = options.sections or BY_EXTENT[options.extent]
    options.sizes = options.sizes or SIZES[options.extent]
    options.json = options.json or options.output / "bench.json"
    for what, given, known in (("section", options.sections, SECTIONS), ("contestant", options.only or (), names)):
        if unknown := [word for word in given if word not in known]:
            parser.error(f"there is no {what} {', '.join(unknown)}")
    if set(options.sections) != {"contest"} and not config_of(options.preset).exists():
        parser.error(f"there is no preset {options.preset}")
    return options


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def seeds_of(
    *, extent: str, only: Sequence[str] | None, seeds: Sequence[int] | None
) -> Mapping[Contestant, Sequence[int]]:
    """Return who runs, and with which seeds, one a round.

    Args:
        extent: `full` or `quick`.
        only: names of those who run; None for all of that extent.
        seeds: for everyone; None for 0, 1, ... as often as the contestant runs.
    """
    chosen: dict[Contestant, Sequence[int]] = {}
    for contestant in CONTESTANTS:
        rounds = contestant.quick if extent == "quick" else contestant.rounds
        if only is not None and contestant.name in only:
            rounds = max(rounds, 1)
        elif only is not None:
            rounds = 0
        if rounds:
            chosen[contestant] = seeds or range(rounds)
    return chosen
