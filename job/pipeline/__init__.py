"""The pipeline: the components of a job, and the data flow between them."""

from job.pipeline.pipeline import Pipeline

__all__ = ["Pipeline"]
