"""Data larger than memory: variants of the images of MNIST in uncompressed files, processed by two worker processes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.disturbance import Disturbance
from tests.benchmarks.machine import has_space
from tests.benchmarks.measure import measure_undisturbed, without
from tests.benchmarks.programs import FINISHED, job_command
from tests.benchmarks.results import ResultsFile
from tests.benchmarks.table import number, print_table

REPETITIONS = 100
MNIST_IMAGES = 70_000
WORKERS = 2
DISK_BYTES_PER_IMAGE = 3_500
"""Source, shuffle, raw and transformed splits of a 28x28 image, with a reserve."""


@dataclass(frozen=True, kw_only=True)
class LargeMeasurement:
    """One process.

    Attributes:
        name: what it did.
        wall: seconds.
        cpu: CPU-seconds, with those of its worker processes.
        own_cpu: CPU-seconds without those of its worker processes, until at most a second before its end.
        peak: peak resident memory of all its processes together, in bytes.
        disturbance: what other programs did meanwhile.
    """

    name: str
    wall: float
    cpu: float
    own_cpu: float
    peak: int
    disturbance: Disturbance


@dataclass(frozen=True, kw_only=True)
class LargeData:
    """Measures the steps on a large data set.

    Attributes:
        preset: whose ExampleGen and Transform are measured.
        mnist: folder of IDX files.
        scratch: folder for the images and the root.
        timeout: seconds for each process.
        attempts: see `undisturbed`.
        results: receives every process in the section `large`.
    """

    preset: str
    mnist: Path
    scratch: Path
    timeout: float
    attempts: int
    results: ResultsFile

    def measure(self, repetitions: int = REPETITIONS) -> None:
        """Measure and print all steps, until one fails.

        Args:
            repetitions: variants of each image of MNIST.
        """
        if not has_space(self.scratch, repetitions * MNIST_IMAGES, DISK_BYTES_PER_IMAGE):
            return
        folder, root = self.scratch / "large", self.scratch / "large-root"
        write = [sys.executable, "-m", "tests.benchmarks.repeated", str(folder), "--mnist", str(self.mnist)]
        job = job_command(self.preset, folder, root=root, overrides=[f"engine.workers={WORKERS}"])
        artifacts = root / "artifacts"
        steps: tuple[tuple[str, Sequence[str], Path], ...] = (
            ("writing of the images", [*write, "--times", str(repetitions)], folder),
            ("ExampleGen", [*job, "--until", "example_gen"], artifacts / "example_gen"),
            ("Transform", [*job, "--until", "transform"], artifacts / "transform"),
            ("reading of one epoch", [sys.executable, "-m", "tests.benchmarks.epoch", str(root)], root / "none"),
        )
        measured = []
        try:
            for name, command, output in steps:
                found = self._measure(name, command, output)
                if found is None:
                    break
                measured.append(found)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(root, ignore_errors=True)
        print_table(
            (
                f"{repetitions} variants of each image",
                "wall s",
                "cpu s",
                "of it in its process",
                "peak MB",
                "disturbed",
            ),
            [
                (
                    one.name,
                    number(one.wall),
                    number(one.cpu),
                    number(one.own_cpu),
                    number(one.peak / 1e6, 0),
                    "yes" if one.disturbance.is_disturbed else "no",
                )
                for one in measured
            ],
        )

    def _measure(self, name: str, command: Sequence[str], output: Path) -> LargeMeasurement | None:
        done = measure_undisturbed(
            without(output, command), timeout=self.timeout, success_codes=FINISHED, attempts=self.attempts
        )
        if done.failure:
            self.results.add_failure(f"{name}: {done.failure}")
            return None
        measured = LargeMeasurement(
            name=name,
            wall=done.wall,
            cpu=done.cpu,
            own_cpu=done.own_cpu,
            peak=done.tree_peak,
            disturbance=done.disturbance,
        )
        self.results.append("large", measured)
        return measured
