"""What a run ran on, told without importing any of it."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Any

from components.runtime.libraries import library_version
from components.runtime.resources import cpu_limit, memory_limit, processor
from job import __version__
from job.pipeline.slots import SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components import Component

REVISION = "JOB_REVISION"
"""Environment variable that names the commit that an image was built from."""


def describe_environment(components: Iterable[Component[Any]] = ()) -> dict[str, Any]:
    """Return versions, processors and memory, as `run.json` states them.

    Args:
        components: those that run, which may rest on more libraries than the slots' own.
    """
    of_slots = {name for cls in SLOTS.values() for name in cls.libraries}
    of_components = {name for component in components for name in component.libraries}
    libraries = sorted(of_slots | of_components | {"tensorflow-datasets"})
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
