"""Cluster: the workers, on one machine or several, that run one component together."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cluster:
    """The workers that run one component together, and the index of this one.

    >>> cluster = Cluster(workers=("node-0:2222", "node-1:2222"), index=1, source="TF_CONFIG")
    >>> cluster.is_chief, str(cluster)
    (False, 'worker 1 of 2')
    """

    workers: tuple[str, ...]
    """Address of each worker, as host and port. Worker 0 runs the whole pipeline and writes all results."""
    index: int
    """Index of this worker in `workers`."""
    source: str
    """What names the workers, such as `TF_CONFIG`."""

    @property
    def is_chief(self) -> bool:
        """Whether this is worker 0, which TensorFlow calls the chief."""
        return self.index == 0

    def __str__(self) -> str:
        return f"worker {self.index} of {len(self.workers)}"
