"""Cold start: the delay that a container adds until the job trains."""

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
    """Start the job alternately in a container and outside; print the seconds until its first training steps.

    The time is from the command to the first `training_step` in the log, in an empty root.

    Args:
        image: of the container.
        scratch: folder for roots.
        times: measured starts of each kind, after one that is not measured.
    """
    seconds: dict[str, list[float]] = {"outside": [], "in a container": []}
    for number in range(times + 1):
        for name, measured in seconds.items():
            root = scratch / f"{name.replace(' ', '-')}-{number}"
            root.mkdir(parents=True)
            root.chmod(0o777)
            outside = [sys.executable, "-m", "job", *ARGUMENTS, "--root", str(root)]
            inside = ["docker", "run", "--rm", *HARDENED, "--volume", f"{root}:/output", image, *ARGUMENTS]
            measured.append(seconds_to_training(inside if name == "in a container" else outside))
    counted = {name: measured[1:] for name, measured in seconds.items()}
    medians = {name: statistics.median(measured) for name, measured in counted.items()}
    for name, median in medians.items():
        ratio, least, most = median / medians["outside"], min(counted[name]), max(counted[name])
        print(
            f"to the first training step, {name:<15} {times} {median:8.2f} s"
            f"  {ratio:.3f} of outside  ({least:.2f} to {most:.2f})",
            flush=True,
        )


def seconds_to_training(command: list[str]) -> float:
    """Return the seconds from the start of a job to its first training steps; wait for its end."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "training_step":
                seconds = time.perf_counter() - started
                break
        else:
            raise SystemExit(f"{command} did not train")
        process.stdout.read()
    if process.returncode:
        raise SystemExit(process.returncode)
    return seconds
