"""The command line: `python -m job`, or `mnist-job`. It parses options; each command is a module in `job.commands`.

A command's module is imported when the command is called, so that `--help` is fast and only `run`, `predict`, `export`
and `doctor` import TensorFlow.
"""

from job.cli import running, results, models, maintenance  # noqa: I001  (the order of the commands in `--help`)
from job.cli.app import app

__all__ = ["app", "maintenance", "models", "results", "running"]
