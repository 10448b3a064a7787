"""Run components as a job: configuration, store, runner and command line.

From Python:

    from job.config import JobConfig
    from job.pipeline import Pipeline
    from job.runner import run

    record = run(JobConfig(pipeline=Pipeline(trainer=MyTrainer())))
    print(record.metrics["accuracy"])
"""

import time

__version__ = "0.1.0"
IMPORTED_AT_SECONDS = time.perf_counter()
"""Reading of `time.perf_counter` close to the start of the process, from which a command's duration counts."""
