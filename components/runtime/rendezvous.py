"""Rendezvous: all workers of a cluster are running, on the same work, before TensorFlow connects them.

TensorFlow's own connection waits for missing workers without end, and no signal interrupts it. Worker 0 therefore
listens on its port first, and all others connect to it. When all are there, each receives the same bytes from worker 0.
Then the ports are free again, for TensorFlow.
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
MAX_SHOWN = 5
ERRORS: dict[str, type[JobError]] = {"ConfigError": ConfigError, "ResourceError": ResourceError}


@dataclass(frozen=True, kw_only=True)
class Rendezvous:
    """Where the workers of a cluster meet before they begin.

    Args:
        cluster: all workers.
        work: identifies what they are about to do; it must be the same on all.
        seconds: how long to wait for workers that are missing.
        check: called often; what it raises ends the wait.
        report: receives messages about missing workers.
    """

    cluster: Cluster
    work: str
    seconds: float
    check: Callable[[], None]
    report: Callable[[str], None]

    def meet(self, content: bytes = b"") -> bytes:
        """Wait for all workers, and return the content of worker 0 on each.

        Raises:
            ConfigError: on all workers, if one is about to do other work.
            ResourceError: if a worker is missing after the limit, or another process uses the port of this one.
        """
        # All listen, so that each notices now, and not in TensorFlow, that another process uses its port.
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
            except OSError as error:  # perhaps due to an earlier attempt, which is about to end
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
                    return self._take_part(messages)
            except (OSError, ConnectionLostError) as error:
                problem = first_line(error)
                time.sleep(POLL_SECONDS)
        raise self._missing([0])

    def _take_part(self, messages: Messages) -> bytes:
        messages.send({"worker": self.cluster.index, "work": self._work}, seconds=REPLY_SECONDS)
        content = b""
        while True:  # worker 0 sends the content again if it lost another worker meanwhile
            message, received = messages.receive(seconds=self.seconds + REPLY_SECONDS)
            if error := ERRORS.get(str(message.get("error"))):
                raise error(message["headline"], expected=message["expected"], remedy=message["remedy"])
            if message.get("begin"):
                return content
            content = received
            messages.send({}, seconds=REPLY_SECONDS)

    def _attempts(self) -> Iterator[bool]:
        """Yield until the limit is over whether a report is due, which is every minute."""
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
        names = [f"worker {index} ({self.cluster.workers[index]})" for index in indices[:MAX_SHOWN]]
        return ", ".join(names + (["..."] if len(indices) > MAX_SHOWN else []))

    def _missing(self, indices: Iterable[int]) -> ResourceError:
        return ResourceError(
            f"{self._names(indices)} did not connect within {self.seconds:g} s",
            expected=f"{len(self.cluster.workers)} workers that reach each other ({self.cluster.source})",
            remedy="start the missing workers with the same command, and run this one again",
        )

    def _different(self, indices: Iterable[int]) -> ConfigError:
        numbers = ", ".join(map(str, sorted(indices)[:MAX_SHOWN]))
        return ConfigError(
            f"the workers have different configurations, data or devices: {numbers} and 0 differ",
            expected="the same configuration, code, libraries, data, list of workers, and kind and number of devices",
            remedy="start the same command with the same root on all workers, on machines with the same devices",
        )
