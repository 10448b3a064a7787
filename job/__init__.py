"""What runs the components: configuration, store, runner and command line.

From Python:

    from job.config import JobConfig
    from job.pipeline import Pipeline
    from job.runner import run

    record = run(JobConfig(pipeline=Pipeline(trainer=MyTrainer())))
    print(record.metrics["accuracy"])
"""

__version__ = "0.1.0"
