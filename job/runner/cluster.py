"""The cluster of a pipeline: that of the components that several workers run together."""

from components.base.cluster import Cluster
from components.base.errors import ConfigError
from job.pipeline.pipeline import Pipeline


def pipeline_cluster(pipeline: Pipeline, only: str | None = None) -> Cluster | None:
    """Return the workers of the first component that has a cluster; None if this process runs all steps alone.

    Args:
        only: the only step that the run executes. For the others, a missing cluster is no error.

    Raises:
        ConfigError: if a component requires a cluster that the environment does not name.
    """
    for name, component in pipeline.components().items():
        try:
            cluster = component.cluster()
        except ConfigError:
            if only in (None, name):
                raise
            continue
        if cluster is not None:
            return cluster
    return None


def require_one_process(pipeline: Pipeline, what: str) -> None:
    """Raise ConfigError if several workers run a component of the pipeline together; `what` runs in one process."""
    for name, component in pipeline.components().items():
        try:
            is_distributed = component.cluster() is not None
        except ConfigError:  # of a missing cluster
            is_distributed = True
        if is_distributed:
            raise ConfigError(
                f"several workers run the {name} together, but {what} runs in one process",
                expected="a configuration for one process, such as `trainer.strategy: one_device`",
                remedy="change the configuration, or use the command `run`",
            )
