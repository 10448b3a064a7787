"""What runs the components: configuration, store, runner and command line.

From Python:

    from job.config.config import JobConfig
    from job.pipeline.pipeline import Pipeline
    from job.runner.runner import run

    record = run(JobConfig(pipeline=Pipeline(trainer=MyTrainer())))
    print(record.metrics["accuracy"])
"""

import time

__version__ = "0.1.0"
BEGAN = time.perf_counter()
"""What the wall's clock showed when this was imported: the beginning of a process, but for Python's own."""
