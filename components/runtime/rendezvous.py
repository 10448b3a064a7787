"""Rendezvous: ensures that all workers of a cluster run, and do the same work, before TensorFlow connects them.

TensorFlow waits for missing workers without a time limit, and no signal interrupts it. Therefore, all workers first
connect to worker 0, which listens on its port. Once all are connected, each receives the same bytes from worker 0. Then
the ports are released, for TensorFlow.
"""

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from components.base.cluster import Cluster
from components.base.errors import ConfigError, JobError, ResourceError, first_line
from components.base.hashing import value_sha256
from components.runtime.arrivals import REPLY_SECONDS, Arrivals
from components.runtime.endpoints import endpoint, listen
from components.runtime.messages import ConnectionLostError, Messages

POLL_SECONDS = 0.2
CONNECT_SECONDS = 5.0
REPORT_SECONDS = 60.0
"""Interval between messages about missing workers."""
MAX_WORKERS_SHOWN = 5
ERRORS: dict[str, type[JobError]] = {"ConfigError": ConfigError, "ResourceError": ResourceError}
"""Errors that worker 0 sends to all other workers."""


@dataclass(frozen=True, kw_only=True)
class Rendezvous:
    """The rendezvous of a worker with all others of its cluster.

    Args:
        cluster: all workers, and the index of this one.
        work: identifies the work, such as a fingerprint; it must be the same on all workers.
        seconds: how long to wait for missing workers.
        check: called while waiting; an exception that it raises ends the wait.
        report: called with messages about missing workers.
    """

    cluster: Cluster
    work: str
    seconds: float
    check: Callable[[], None]
    report: Callable[[str], None]

    def meet(self, content: bytes = b"") -> bytes:
        """Wait for all workers, and return the content that worker 0 passes.

        Raises:
            ConfigError: on all workers, if their work is not the same.
            ResourceError: if a worker is missing after the time limit, or another process uses the port of this one.
        """
        # All workers listen, because a port that another process uses is detected here, and not in TensorFlow.
        with closing(self._listen()) as server:
            if self.cluster.is_chief:
                return self._gather(server, content)
        return self._join()

    def _listen(self) -> socket.socket:
        address, problem = self.cluster.workers[self.cluster.index], ""
        port = endpoint(address)[1]
        for is_report_due in self._attempts():
            if is_report_due:
                self.report(f"{self.cluster} cannot listen on port {port}: {problem}")
            try:
                return listen(address)
            except OSError as error:  # an earlier attempt may not have ended yet
                problem = error.strerror or str(error)
                time.sleep(POLL_SECONDS)
        raise ResourceError(
            f"{self.cluster} cannot listen on port {port}: {problem}",
            expected="a port that no other process of this machine uses",
            remedy="end the other process, or choose another port for the workers",
        )

    def _gather(self, server: socket.socket, content: bytes) -> bytes:
        server.settimeout(POLL_SECONDS)
        with Arrivals(len(self.cluster.workers), self._work, self.check) as arrivals:
            for is_report_due in self._attempts():
                if waits_for := arrivals.missing or arrivals.different:
                    if is_report_due:
                        self.report(f"{self.cluster} waits for {self._names(waits_for)}")
                    arrivals.accept(server)
                if arrivals.are_different_for_good:
                    break
                if not arrivals.missing and not arrivals.different and arrivals.receive_all(content):
                    arrivals.end({"begin": True})
                    return content
            missing = arrivals.missing
            error = self._missing(missing) if missing else self._different(arrivals.different)
            texts = {"headline": error.headline, "expected": error.expected, "remedy": error.remedy}
            arrivals.end({"error": type(error).__name__, **texts})
            raise error

    def _join(self) -> bytes:
        host, port = endpoint(self.cluster.workers[0])
        problem = ""
        for is_report_due in self._attempts():
            if is_report_due:
                self.report(f"{self.cluster} waits for {self._names([0])}: {problem}")
            try:
                connection = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
                with Messages(connection, self.check) as messages:
                    return self._receive_content(messages)
            except (OSError, ConnectionLostError) as error:
                problem = first_line(error)
                time.sleep(POLL_SECONDS)
        raise self._missing([0])

    def _receive_content(self, messages: Messages) -> bytes:
        messages.send({"worker": self.cluster.index, "work": self._work}, seconds=REPLY_SECONDS)
        content = b""
        while True:  # worker 0 sends the content again after it lost another worker
            message, received = messages.receive(seconds=self.seconds + REPLY_SECONDS)
            if error := ERRORS.get(str(message.get("error"))):
                raise error(message["headline"], expected=message["expected"], remedy=message["remedy"])
            if message.get("begin"):
                return content
            content = received
            messages.send({}, seconds=REPLY_SECONDS)

    def _attempts(self) -> Iterator[bool]:
        """Yield, until the time limit, whether a report is due."""
        began = reported = time.monotonic()
        while (now := time.monotonic()) - began <= self.seconds:
            self.check()
            is_report_due = now - reported >= REPORT_SECONDS
            reported = now if is_report_due else reported
            yield is_report_due

    @property
    def _work(self) -> str:
        return value_sha256([self.work, self.cluster.workers])

    def _names(self, indices: Iterable[int]) -> str:
        indices = sorted(indices)
        names = [f"worker {index} ({self.cluster.workers[index]})" for index in indices[:MAX_WORKERS_SHOWN]]
        return ", ".join(names + (["..."] if len(indices) > MAX_WORKERS_SHOWN else []))

    def _missing(self, indices: Iterable[int]) -> ResourceError:
        return ResourceError(
            f"{self._names(indices)} did not connect within {self.seconds:g} s",
            expected=f"{len(self.cluster.workers)} workers that reach each other ({self.cluster.source})",
            remedy="start the missing workers with the same command, and run this one again",
        )

    def _different(self, indices: Iterable[int]) -> ConfigError:
        numbers = ", ".join(map(str, sorted(indices)[:MAX_WORKERS_SHOWN]))
        return ConfigError(
            f"the configuration, data or devices of worker {numbers} differ from those of worker 0",
            expected="the same configuration, code, libraries, data, list of workers, and kind and number of devices",
            remedy="start the same command with the same root on all workers, on machines with the same devices",
        )
