"""Growth: time and memory of each component with more and more synthetic images."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.disturbance import MAX_ATTEMPTS, Disturbance
from tests.benchmarks.machine import has_space
from tests.benchmarks.measure import measure_process, measure_undisturbed, without
from tests.benchmarks.programs import FINISHED, job_command
from tests.benchmarks.results import ResultsFile

COMPONENTS = ("example_gen", "transform", "trainer", "evaluator", "visualizer")
DISK_BYTES_PER_IMAGE = 10_000
"""A 28x28 image raw, compressed and as float32, and the same again while an artifact is written."""


@dataclass(frozen=True, kw_only=True)
class GrowthPoint:
    """One component at one size, in a process of its own that reuses the artifacts before it.

    Attributes:
        factor: size in units of the base size.
        images: of all three splits.
        seconds: of the step.
        cpu: CPU-seconds of the step.
        process_cpu: CPU-seconds of the whole process, which also verifies the reused artifacts.
        peak: peak resident memory of the process in bytes.
        disturbance: what other programs did meanwhile.
    """

    component: str
    factor: int
    images: int
    seconds: float
    cpu: float
    process_cpu: float
    peak: int
    disturbance: Disturbance

    @property
    def gigabytes(self) -> float:
        """`peak` in units of 1e9 bytes."""
        return self.peak / 1e9


@dataclass(frozen=True, kw_only=True)
class GrowthPlan:
    """The sizes and the configuration to measure.

    Attributes:
        factors: sizes in units of `base`.
        base: images, training and test together.
        preset: configuration to run.
        overrides: of the configuration.
        timeout: seconds for each component.
        attempts: see `undisturbed`.
    """

    factors: Sequence[int]
    base: int
    preset: str
    overrides: Sequence[str] = ("trainer.epochs=1",)
    timeout: float
    attempts: int = MAX_ATTEMPTS


class GrowthError(Exception):
    """A size could not be measured to its end."""


def measure_growth(plan: GrowthPlan, *, scratch: Path, results: ResultsFile) -> list[GrowthPoint]:
    """Run the five components at each size and print a line for each.

    Skip sizes without enough disk space, and sizes with every component in `results`. Points of incomplete sizes are
    removed from `results`.

    Args:
        plan: what to measure.
        scratch: folder for the files of a size while it is measured.
        results: receives every point in the section `growth`.
    """
    earlier = results.items("growth", GrowthPoint)
    visualized = {point.factor for point in earlier if point.component == COMPONENTS[-1]}
    points = [point for point in earlier if point.factor in visualized]
    results.put("growth", list(points))
    for point in points:
        print(_line(point), flush=True)
    for factor in plan.factors:
        if factor in visualized:
            continue
        images = factor * plan.base
        if not has_space(scratch, images, DISK_BYTES_PER_IMAGE):
            continue
        folder = scratch / f"growth-{factor}"
        try:
            for point in _measure_components(plan, factor, folder):
                points.append(point)
                results.append("growth", point)
                print(_line(point), flush=True)
        except GrowthError as error:
            results.add_failure(f"growth to {images:,} images: {error}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print()
    return sorted(points, key=lambda point: point.images)


def _measure_components(plan: GrowthPlan, factor: int, folder: Path) -> Iterator[GrowthPoint]:
    images = factor * plan.base
    write = [sys.executable, "-m", "tests.benchmarks.synthetic", str(folder / "idx"), "--images", str(images)]
    if failure := measure_process(write, timeout=plan.timeout).failure:
        raise GrowthError(f"the images were not written: {failure}")
    root = folder / "root"
    command = job_command(plan.preset, folder / "idx", root=root, overrides=plan.overrides)
    for component in COMPONENTS:
        measured = measure_undisturbed(
            without(root / "artifacts" / component, [*command, "--until", component]),
            timeout=plan.timeout,
            success_codes=FINISHED,
            attempts=plan.attempts,
        )
        if measured.failure:
            raise GrowthError(f"{component}: {measured.failure}")
        step = json.loads(measured.stdout)["steps"][-1]
        if step["status"] != "ran":
            raise GrowthError(f"{component} was {step['status']}")
        yield GrowthPoint(
            component=component,
            factor=factor,
            images=images,
            seconds=step["seconds"],
            cpu=step["cpu_seconds"],
            process_cpu=measured.cpu,
            peak=measured.peak,
            disturbance=measured.disturbance,
        )


def _line(point: GrowthPoint) -> str:
    disturbed = "  DISTURBED" if point.disturbance.is_disturbed else ""
    times = f"{point.seconds:8.2f} s  {point.cpu:8.2f} cpu s"
    return f"{point.images:>9,} images  {point.component:<12} {times}  {point.peak / 1e6:7.0f} MB{disturbed}"
