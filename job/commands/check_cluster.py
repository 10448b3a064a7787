"""Check of the cluster that the environment names, before a run needs it."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from components.base.errors import ConfigError, JobError, ResourceError
from components.runtime.cluster import find_cluster
from components.runtime.endpoints import endpoint, listen


@dataclass(frozen=True, kw_only=True)
class CheckedWorker:
    """A worker, and whether this machine can reach it."""

    address: str
    """Host and port."""
    resolved: str
    """The address of its host; empty if its name does not resolve."""
    failure: str = ""
    """Why it cannot be used; empty if it can."""


@dataclass(frozen=True, kw_only=True)
class CheckedCluster:
    """The workers that the environment names."""

    source: str
    """What names them, such as `TF_CONFIG`; empty if the environment is malformed."""
    index: int
    """Index of this worker."""
    workers: list[CheckedWorker]
    failure: str = ""
    """What is wrong with the environment; empty if nothing is."""

    def failures(self) -> Iterator[JobError]:
        """Yield the errors that a run with several workers would raise."""
        if self.failure:
            expected = "the variables of TF_CONFIG, an Indexed Job of Kubernetes, or Slurm"
            yield ConfigError(self.failure, expected=expected, remedy="correct the environment")
        for index, worker in enumerate(self.workers):
            if worker.failure:
                yield ResourceError(
                    f"worker {index} at {worker.address} cannot be used: {worker.failure}",
                    expected="hosts that resolve, and a free port on this one",
                    remedy="check the names, the network and the port, and start all workers",
                )

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield label and text of each line."""
        if self.failure:
            yield "cluster", self.failure
            return
        yield "cluster", f"this is worker {self.index} of {len(self.workers)}, found in {self.source}"
        for index, worker in enumerate(self.workers):
            yield f"  worker {index}", f"{worker.address}: {worker.failure or worker.resolved}"


def check_cluster() -> CheckedCluster | None:
    """Check that the host of each worker resolves, and that this worker can use its port; None without a cluster."""
    try:
        cluster = find_cluster()
    except ConfigError as error:
        return CheckedCluster(source="", index=0, workers=[], failure=error.headline)
    if cluster is None:
        return None
    with ThreadPoolExecutor(max_workers=16) as threads:  # a name server may take seconds
        workers = [*threads.map(_check_worker, cluster.workers)]
    if not (own := workers[cluster.index]).failure:
        failure = _port_failure(own.address)
        workers[cluster.index] = CheckedWorker(address=own.address, resolved=own.resolved, failure=failure)
    return CheckedCluster(source=cluster.source, index=cluster.index, workers=workers)


def _check_worker(address: str) -> CheckedWorker:
    host, port = endpoint(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return CheckedWorker(address=address, resolved="", failure=f"{host} does not resolve: {error.strerror}")
    return CheckedWorker(address=address, resolved=str(found[0][4][0]))


def _port_failure(address: str) -> str:
    """Return why this process cannot listen on the port of its own worker; empty if it can."""
    try:
        with listen(address):
            return ""
    except OSError as error:
        return f"this machine cannot listen on the port: {error.strerror}"
