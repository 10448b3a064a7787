"""How it grows: each component's time and memory with more and more made-up images."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.contestants import FINISHED, job_command
from tests.benchmarks.ledger import Ledger
from tests.benchmarks.measuring import measure

COMPONENTS = ("example_gen", "transform", "trainer", "evaluator", "visualizer")
BYTES_AN_IMAGE = 10_000
"""Room on the disk: 28x28 raw, packed, and as float32, and as much again while an artifact is being made."""


@dataclass(frozen=True, kw_only=True)
class Grown:
    """One component at one size, in a process of its own that reuses what came before.

    Attributes:
        times: how many times the base size.
        images: in all three splits.
        seconds: of the step itself.
        cpu: CPU-seconds of the step itself.
        process_cpu: of the whole process, which also verifies what it reuses.
        peak: bytes of the process's resident memory at the highest.
    """

    component: str
    times: int
    images: int
    seconds: float
    cpu: float
    process_cpu: float
    peak: int

    @property
    def gigabytes(self) -> float:
        """`peak`, in units of a billion bytes."""
        return self.peak / 1e9


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What is grown, and how far.

    Attributes:
        sizes: how many times `base`.
        base: images, training and test together.
        preset: configuration that is run.
        overrides: of it.
        timeout: seconds that each component may take.
    """

    sizes: Sequence[int]
    base: int
    preset: str
    overrides: Sequence[str] = ("trainer.epochs=1",)
    timeout: float


def measure_growth(growth: Growth, *, scratch: Path, ledger: Ledger) -> list[Grown]:
    """Run the five components at each size, and print a line each; a size that the disk is too small for is left out.

    Args:
        growth: what to run.
        scratch: where a size has its folder while it is measured.
        ledger: every figure goes to its section `growth`.
    """
    measured: list[Grown] = []
    for times in growth.sizes:
        images = times * growth.base
        needed, free = images * BYTES_AN_IMAGE, shutil.disk_usage(scratch).free
        if free < needed:
            print(f"skipped: {images:,} images need {needed / 1e9:.1f} GB in {scratch}, and {free / 1e9:.1f} are free")
            continue
        folder = scratch / f"growth-{times}"
        try:
            for grown in _components(growth, times, folder):
                measured.append(grown)
                ledger.add("growth", grown)
                print(
                    f"{grown.images:>9,} images  {grown.component:<12} {grown.seconds:8.2f} s"
                    f"  {grown.cpu:8.2f} cpu s  {grown.peak / 1e6:7.0f} MB",
                    flush=True,
                )
        except NotGrownError as error:
            ledger.fail(f"growth to {images:,} images: {error}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print()
    return measured


class NotGrownError(Exception):
    """A size could not be measured to its end."""


def _components(growth: Growth, times: int, folder: Path) -> Iterator[Grown]:
    images = times * growth.base
    make = [sys.executable, "-m", "tests.benchmarks.synthetic", str(folder / "idx"), "--images", str(images)]
    if made := measure(make, timeout=growth.timeout).failure:
        raise NotGrownError(f"they could not be made: {made}")
    command = job_command(growth.preset, folder / "idx", root=folder / "root", overrides=growth.overrides)
    for component in COMPONENTS:
        took = measure([*command, "--until", component], timeout=growth.timeout, good=FINISHED)
        if took.failure:
            raise NotGrownError(f"{component}: {took.failure}")
        step = json.loads(took.stdout)["steps"][-1]
        yield Grown(
            component=component,
            times=times,
            images=images,
            seconds=step["seconds"],
            cpu=step["cpu_seconds"],
            process_cpu=took.cpu,
            peak=took.peak,
        )
