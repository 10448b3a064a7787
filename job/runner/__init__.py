"""The runner: executes a pipeline once, step by step."""

from job.runner.runner import run

__all__ = ["run"]
