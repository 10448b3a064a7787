"""Run components as a job: configuration, store, runner, command line, and these names for Python and notebooks:

    from job import Pipeline, load_config, load_run, run

    small = run(load_config("digits", trainer={"network": {"filters": [8, 8, 16]}}))
    print(small.metrics.validation["accuracy"])
    small.model().predict(images)

`import job` imports nothing else; each name is imported where it is first used.
"""

import importlib
import time
from typing import TYPE_CHECKING

from job.shadowing import import_installed_components

if TYPE_CHECKING:
    from job.config.config import JobConfig, load_config
    from job.pipeline.pipeline import Pipeline
    from job.python.run import Run, load_run, run
else:
    _MODULES = {
        **dict.fromkeys(("JobConfig", "load_config"), "job.config.config"),
        **dict.fromkeys(("Run", "load_run", "run"), "job.python.run"),
        "Pipeline": "job.pipeline.pipeline",
    }

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_MODULES[name]), name)


__all__ = ["JobConfig", "Pipeline", "Run", "load_config", "load_run", "run"]
__version__ = "0.1.0"
IMPORTED_AT_SECONDS = time.perf_counter()
"""Reading of `time.perf_counter` close to the start of the process, from which a command's duration counts."""
import_installed_components()
