"""What a run ran on, told without importing any of it."""

from __future__ import annotations

import os
import platform
from typing import Any

from components.runtime.libraries import library_version
from components.runtime.resources import cpu_limit, memory_limit, processor
from job import __version__
from job.slots import SLOTS

REVISION = "JOB_REVISION"
"""Environment variable that names the commit that an image was built from."""


def describe_environment() -> dict[str, Any]:
    """Return versions, processors and memory, as `run.json` states them."""
    libraries = sorted({name for cls in SLOTS.values() for name in cls.libraries} | {"tensorflow-datasets"})
    return {
        "version": __version__,
        "revision": os.environ.get(REVISION),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cpus": os.cpu_count(),
        "cpu_limit": cpu_limit(),
        "memory_limit_bytes": memory_limit(),
        "libraries": {name: library_version(name) for name in libraries},
    }
