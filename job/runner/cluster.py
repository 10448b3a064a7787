"""The cluster of a pipeline: the workers of the components that several workers run together."""

from typing import Any

from components import Component
from components.base.cluster import Cluster
from components.base.errors import ConfigError
from job.pipeline.pipeline import Pipeline


def pipeline_cluster(pipeline: Pipeline, only: str | None = None) -> Cluster | None:
    """Return the workers of the first component that has a cluster; None if this process runs all steps alone.

    Args:
        only: the only step that runs, or None. A missing cluster of another step is not an error.

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


def planned_workers(component: Component[Any]) -> tuple[str, ...] | None:
    """Return the workers that run a component together, empty if the environment names none; None without a cluster."""
    try:
        cluster = component.cluster()
    except ConfigError:
        return ()
    return None if cluster is None else cluster.workers


def require_one_process(pipeline: Pipeline, what: str) -> None:
    """Raise ConfigError if several workers run a component of the pipeline together; `what` runs in one process."""
    for name, component in pipeline.components().items():
        if planned_workers(component) is not None:
            raise ConfigError(
                f"several workers run the {name} together, but {what} runs in one process",
                expected="a configuration for one process, such as `trainer.strategy: one_device`",
                remedy="change the configuration, or use the command `run`",
            )
