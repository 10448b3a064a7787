"""`make bench`: whole processes, measured by the operating system, as a table and as JSON.

make bench                              with made-up images of MNIST's size
make bench ARGS="--mnist /data/mnist"   and the MNIST presets, from a folder of the four IDX files
make bench ARGS="--image mnist-job:cpu" only how much later a job trains that begins in a container
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from job.environment import describe_environment
from tests.benchmarks.cold_start import measure_cold_start
from tests.benchmarks.resuming import measure_ending, measure_resuming
from tests.support.data import IDX_NAMES, write_idx

CONFIGS = Path(__file__).parents[2] / "configs"
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Sample:
    """What one process took."""

    wall: float
    cpu: float
    peak: float
    """Resident memory at its highest, in megabytes."""
    accuracy: float | None
    steps: dict[str, float]


def sample(arguments: list[str]) -> Sample:
    """Run the job once in a process of its own."""
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "job", *arguments], stdout=stdout, stderr=stderr)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        stdout.seek(0)
        stderr.seek(0)
        if os.waitstatus_to_exitcode(status):
            raise SystemExit(stderr.read())
        record = json.loads(stdout.read()) if "--json" in arguments else {}
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return Sample(
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=usage.ru_maxrss * unit / MEGABYTE,
        accuracy=(record.get("metrics") or {}).get("accuracy"),
        steps={step["component"]: step["seconds"] for step in record.get("steps", [])},
    )


def report(name: str, samples: list[Sample]) -> dict[str, object]:
    """Print the medians as a row, and return everything."""
    wall, cpu, peak = (statistics.median(getattr(one, key) for one in samples) for key in ("wall", "cpu", "peak"))
    accuracies = [one.accuracy for one in samples if one.accuracy is not None]
    accuracy = f"{statistics.mean(accuracies):.4f}" if accuracies else ""
    steps = {step: statistics.median(one.steps[step] for one in samples) for step in samples[0].steps}
    itemized = "  ".join(f"{step} {seconds:.1f}" for step, seconds in steps.items())
    print(f"{name:<34} {len(samples)} {wall:8.2f} {cpu:8.2f} {peak:8.0f} {accuracy:>8}  {itemized}", flush=True)
    return {"name": name, "samples": [asdict(one) for one in samples]}


def make_images(folder: Path) -> Path:
    """Write 60,000 and 10,000 made-up images, as many as MNIST has."""
    random = np.random.default_rng(0)
    for part, count in (("train", 60_000), ("test", 10_000)):
        labels = np.arange(count) % 10
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8) * (random.random((count, 28, 28)) < 0.2)
        write_idx(folder / f"{IDX_NAMES[part][0]}.gz", images.astype(np.uint8))
        write_idx(folder / f"{IDX_NAMES[part][1]}.gz", labels)
    return folder


def main() -> None:
    """Measure, print, and write the JSON where it is asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--mnist", type=Path, help="a folder of the four MNIST IDX files")
    parser.add_argument("--json", type=Path, help="where to write all samples")
    parser.add_argument("--seeds", type=int, default=1, help="run the MNIST presets with the seeds 0 to N-1")
    parser.add_argument("--image", help="measure only how much later a job trains in a container of this image")
    options = parser.parse_args()
    environment = describe_environment()
    print(f"{environment['processor']}, {environment['cpu_limit']} CPUs, Python {environment['python']}")
    if options.image:
        with tempfile.TemporaryDirectory() as scratch:
            Path(scratch).chmod(0o755)
            measure_cold_start(options.image, Path(scratch), times=7)
        return
    print(f"{'':<34} n   wall s    cpu s  peak MB accuracy  seconds by step")
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        roots = (f"{scratch}/root-{number}" for number in range(1000))

        def measure(name: str, times: int, arguments: Callable[[int], list[str]]) -> None:
            results.append(report(name, [sample(arguments(number)) for number in range(times)]))

        digits = ["run", "--config", str(CONFIGS / "digits.yaml"), "--json", "--root"]
        measure("--help", 5, lambda _: ["--help"])
        measure("digits, whole job", 3, lambda _: [*digits, next(roots)])
        kept = next(roots)
        sample([*digits, kept])
        measure("digits, everything reused", 5, lambda _: [*digits, kept])

        folder = options.mnist or make_images(Path(scratch))
        mnist = [
            *("run", "--json", "--set", "example_gen.source.kind=idx"),
            *("--set", f"example_gen.source.path={folder.resolve()}", "--config"),
        ]
        official = [*mnist, str(CONFIGS / "mnist-official.yaml"), "--root"]
        measure("70,000 images, to transform", 3, lambda _: [*official, next(roots), "--until", "transform"])
        if options.mnist:
            kept = next(roots)
            for preset in ("mnist", "mnist-official"):
                whole = [*mnist, str(CONFIGS / f"{preset}.yaml"), "--root"]
                measure(
                    f"{preset}, whole job",
                    options.seeds,
                    lambda seed, whole=whole: [*whole, f"{kept}-{seed}", "--set", f"seed={seed}"],  # type: ignore[misc]
                )
            overrides = ["example_gen.source.kind=idx", f"example_gen.source.path={folder.resolve()}"]
            config = CONFIGS / "mnist-official.yaml"
            results.append(measure_resuming(config, overrides, Path(scratch) / "resuming", times=options.seeds))
            results.append(measure_ending(config, overrides, Path(scratch) / "ending", times=5))
            measure("mnist-official, everything reused", 5, lambda _: [*official, f"{kept}-0", "--set", "seed=0"])
    if options.json:
        options.json.write_text(json.dumps({"environment": environment, "results": results}, indent=2) + "\n")


main()
