"""The machine that is measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from typing import Any

from job.runner.environment import describe_environment

BUSY = 0.25
"""Load a processor, over the last minute, above which the machine is not there for the benchmark alone."""


def describe_machine(torch: str | None) -> dict[str, Any]:
    """Return processor, cores, memory, kernel, versions, and how busy it was at the beginning.

    Args:
        torch: the version of PyTorch that the peers have, if any.
    """
    return {
        **describe_environment(),
        "kernel": platform.release(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "load_average": os.getloadavg(),
        "torch": torch,
    }


def tell_machine(machine: dict[str, Any]) -> None:
    """Print the machine in two lines."""
    libraries, load = machine["libraries"], machine["load_average"]
    print(
        f"{machine['processor']}, {machine['cpu_limit']} of {machine['cpus']} processors, "
        f"{machine['memory_bytes'] / 1e9:.1f} GB, Linux {machine['kernel']}, load {load[0]:.2f} at the beginning"
    )
    print(
        f"Python {machine['python']}, TensorFlow {libraries['tensorflow']}, Keras {libraries['keras']}, "
        f"PyTorch {machine['torch'] or 'none'}, mnist-job {machine['version']}",
        flush=True,
    )
    if load[0] > BUSY * machine["cpu_limit"]:
        print(
            "warning: the machine is busy with something else. PyTorch's threads wait for each other by spinning, "
            "which counts as CPU time: the ratios are worth nothing",
            flush=True,
        )


def torch_version(python: str) -> str | None:
    """Return the version of PyTorch that an interpreter has; None where it has none."""
    asked = [python, "-c", "import torch; print(torch.__version__)"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
