"""The environment of a run: versions, processors and memory, determined without importing the libraries."""

import os
import platform
from collections.abc import Iterable
from typing import Any

from components import Component
from components.base.text import printable
from components.runtime.libraries import library_version
from components.runtime.resources import cpu_limit, memory_limit, processor
from job import __version__
from job.pipeline.slots import SLOTS


def describe_environment(components: Iterable[Component[Any]] = ()) -> dict[str, Any]:
    """Return the environment as `run.json` has it; a replaced component may use more libraries than the default."""
    of_defaults = {name for cls in SLOTS.values() for name in cls.libraries}
    of_components = {name for component in components for name in component.libraries}
    libraries = sorted(of_defaults | of_components | {"tensorflow-datasets"})
    return {
        "version": __version__,
        "revision": printable(os.environ.get("JOB_REVISION", "")) or None,  # the commit from which an image was built
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cpus": os.cpu_count(),
        "cpu_limit": cpu_limit(),
        "memory_limit_bytes": memory_limit(),
        "libraries": {name: library_version(name) for name in libraries},
    }
