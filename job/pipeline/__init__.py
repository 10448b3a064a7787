"""The pipeline: which components there are, and how artifacts flow between them."""

from job.pipeline.pipeline import Pipeline

__all__ = ["Pipeline"]
