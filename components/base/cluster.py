"""Cluster: the processes, on one or several machines, that train one network together."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The workers of a training, as this one finds them in its environment.

    >>> cluster = Cluster(workers=("a:2222", "b:2222", "c:2222"), index=1, source="TF_CONFIG")
    >>> cluster.name, cluster.address, cluster.is_first
    ('worker 1 of 3', 'b:2222', False)
    """

    workers: tuple[str, ...]
    """The address of each worker, `host:port`; the same on all workers."""
    index: int
    """The number of this worker, from 0. Worker 0 alone writes to the root."""
    source: str
    """Where the cluster was found, such as `TF_CONFIG`, `Slurm` or `Kubernetes`."""

    @property
    def address(self) -> str:
        """The address of this worker."""
        return self.workers[self.index]

    @property
    def is_first(self) -> bool:
        """Whether this is worker 0."""
        return self.index == 0

    @property
    def name(self) -> str:
        """This worker in messages."""
        return f"worker {self.index} of {len(self.workers)}"
