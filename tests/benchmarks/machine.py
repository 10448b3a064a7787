"""The machine on which the benchmark runs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from job.runner.environment import describe_environment

BUSY_LOAD_PER_CPU = 0.25
"""Load average of the last minute above which the benchmark warns that other programs are running."""


def describe_machine(torch: str | None) -> dict[str, Any]:
    """Return processor, memory, kernel, library versions and the current load.

    Args:
        torch: the version of PyTorch for the peers, if any.
    """
    return {
        **describe_environment(),
        "kernel": platform.release(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_average": os.getloadavg(),
        "torch": torch,
    }


def print_machine(machine: dict[str, Any]) -> None:
    """Print the machine in two lines, and a warning if it is busy."""
    libraries, load = machine["libraries"], machine["load_average"]
    print(
        f"{machine['processor']}, {machine['cpu_limit']} of {machine['cpus']} processors, "
        f"{machine['memory_bytes'] / 1e9:.1f} GB, Linux {machine['kernel']}, load {load[0]:.2f} at the start"
    )
    print(
        f"Python {machine['python']}, TensorFlow {libraries['tensorflow']}, Keras {libraries['keras']}, "
        f"PyTorch {machine['torch'] or 'none'}, mnist-job {machine['version']}",
        flush=True,
    )
    if load[0] > BUSY_LOAD_PER_CPU * machine["cpu_limit"]:
        print(
            "warning: other programs are running. The threads of PyTorch wait for each other in a loop, which counts "
            "as CPU time: ratios to PyTorch are invalid",
            flush=True,
        )


def torch_version(python: str) -> str | None:
    """Return the version of PyTorch that an interpreter can import, or None."""
    command = [python, "-c", "import torch; print(torch.__version__)"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def has_space(folder: Path, images: int, bytes_per_image: int) -> bool:
    """Return whether images fit on the disk of a folder; print why not."""
    needed, free = images * bytes_per_image, shutil.disk_usage(folder).free
    if free < needed:
        print(f"skipped: {images:,} images need {needed / 1e9:.1f} GB in {folder}, but {free / 1e9:.1f} are free")
    return free >= needed
