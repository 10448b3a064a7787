"""The environment of a run: versions, processors and memory, determined without importing the libraries."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from typing import Any

from components import Component
from components.runtime.libraries import library_version
from components.runtime.resources import cpu_limit, memory_limit, processor
from job import __version__
from job.pipeline.slots import SLOTS

REVISION_VARIABLE = "JOB_REVISION"
"""Environment variable with the commit from which an image was built."""


def describe_environment(components: Iterable[Component[Any]] = ()) -> dict[str, Any]:
    """Return the environment as `run.json` holds it.

    Args:
        components: the components of the run; a replaced one may use more libraries than the default.
    """
    of_defaults = {name for cls in SLOTS.values() for name in cls.libraries}
    of_components = {name for component in components for name in component.libraries}
    libraries = sorted(of_defaults | of_components | {"tensorflow-datasets"})
    return {
        "version": __version__,
        "revision": os.environ.get(REVISION_VARIABLE),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cpus": os.cpu_count(),
        "cpu_limit": cpu_limit(),
        "memory_limit_bytes": memory_limit(),
        "libraries": {name: library_version(name) for name in libraries},
    }
