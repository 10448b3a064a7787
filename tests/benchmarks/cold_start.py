"""What a container adds to the time until a job trains."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.support.containers import HARDENED

ARGUMENTS = ("run", "--config", "configs/digits.yaml", "--until", "trainer", "--log-format", "json")


def measure_cold_start(image: str, scratch: Path, *, times: int) -> None:
    """Start the job alternately in a container and outside of one; print the seconds to its first steps.

    That is from the command to the first `training_step` in its log, of a job that finds nothing to reuse.

    Args:
        image: the one to run.
        scratch: where roots are made.
        times: how often each is started, after one of each that does not count.
    """
    took: dict[str, list[float]] = {"outside": [], "in a container": []}
    for number in range(times + 1):
        for name, seconds in took.items():
            root = scratch / f"{name.replace(' ', '-')}-{number}"
            root.mkdir(parents=True)
            root.chmod(0o777)
            outside = [sys.executable, "-m", "job"]
            inside = ["docker", "run", "--rm", *HARDENED, "--volume", f"{root}:/output", image]
            command = [*inside, *ARGUMENTS] if name == "in a container" else [*outside, *ARGUMENTS, "--root", str(root)]
            seconds.append(until_training(command))
    counted = {name: seconds[1:] for name, seconds in took.items()}
    medians = {name: statistics.median(seconds) for name, seconds in counted.items()}
    for name, median in medians.items():
        ratio, least, most = median / medians["outside"], min(counted[name]), max(counted[name])
        print(
            f"to the first training step, {name:<15} {times} {median:8.2f} s"
            f"  {ratio:.3f} of outside  ({least:.2f} to {most:.2f})",
            flush=True,
        )


def until_training(command: list[str]) -> float:
    """Return the seconds from starting a job to its first steps of training; it is left to end."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "training_step":
                took = time.perf_counter() - began
                break
        else:
            raise SystemExit(f"{command} never trained")
        process.stdout.read()
    if process.returncode:
        raise SystemExit(process.returncode)
    return took
