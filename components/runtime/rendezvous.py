"""Rendezvous: ensures that all workers of a cluster run, and do the same work, before TensorFlow connects them.

TensorFlow waits for missing workers without a time limit, and no signal interrupts it. Therefore, all workers first
connect to worker 0, which listens on its port. Once all are connected, each receives the same bytes from worker 0. Then
the ports are released, for TensorFlow.
"""

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass

from components.base.cluster import Cluster
from components.base.errors import ConfigError, JobError, ResourceError, first_line
from components.base.hashing import value_sha256
from components.runtime.messages import ConnectionLostError, Messages

POLL_SECONDS = 0.2
CONNECT_SECONDS = 5.0
REPORT_SECONDS = 60.0
"""Interval between messages about missing workers."""
REPLY_SECONDS = 10.0
"""Time limit for a reply of a connected worker."""
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
        port, problem = endpoint(self.cluster.workers[self.cluster.index])[1], ""
        for is_report_due in self._attempts():
            if is_report_due:
                self.report(f"{self.cluster} cannot listen on port {port}: {problem}")
            try:
                return _listen(port)
            except OSError as error:  # an earlier attempt may not have ended yet
                problem = error.strerror or str(error)
                time.sleep(POLL_SECONDS)
        raise ResourceError(
            f"{self.cluster} cannot listen on port {port}: {problem}",
            expected="a port that no other process of this machine uses",
            remedy="end the other process, or choose another port for the workers",
        )

    def _gather(self, server: socket.socket, content: bytes) -> bytes:
        others = range(1, len(self.cluster.workers))
        arrived: dict[int, Messages] = {}
        works: dict[int, str] = {}
        server.settimeout(POLL_SECONDS)
        with ExitStack() as stack:
            for is_report_due in self._attempts():
                if is_report_due:
                    self.report(f"{self.cluster} waits for {self._names({*others} - {*arrived})}")
                if len(arrived) >= len(others):
                    if different := [index for index, work in works.items() if work != self._work]:
                        _refuse(arrived.values(), self._different(different))
                    if self._send_content(arrived, content):
                        return content
                with suppress(OSError, ConnectionLostError, KeyError, TypeError):
                    connection, _ = server.accept()
                    messages = stack.enter_context(Messages(connection, self.check, seconds=REPLY_SECONDS))
                    hello, _ = messages.receive()
                    index = int(hello["worker"])
                    works[index], arrived[index] = hello["work"], messages
            _refuse(arrived.values(), self._missing({*others} - {*arrived}))
        raise AssertionError  # `_refuse` raises

    def _send_content(self, arrived: dict[int, Messages], content: bytes) -> bool:
        """Send the content, and return whether all workers received it; remove those that did not."""
        for index, messages in list(arrived.items()):
            try:
                messages.send({}, content)
                messages.receive()
            except (OSError, ConnectionLostError):
                del arrived[index]
        if len(arrived) < len(self.cluster.workers) - 1:
            return False
        for messages in arrived.values():
            with suppress(OSError, ConnectionLostError):
                messages.send({"begin": True})
                messages.receive()  # the other process closes first: then this port is free at once
        return True

    def _join(self) -> bytes:
        host, port = endpoint(self.cluster.workers[0])
        problem = ""
        for is_report_due in self._attempts():
            if is_report_due:
                self.report(f"{self.cluster} waits for {self._names([0])}: {problem}")
            try:
                connection = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
                with Messages(connection, self.check, seconds=self.seconds + REPLY_SECONDS) as messages:
                    return self._receive_content(messages)
            except (OSError, ConnectionLostError) as error:
                problem = first_line(error)
                time.sleep(POLL_SECONDS)
        raise self._missing([0])

    def _receive_content(self, messages: Messages) -> bytes:
        messages.send({"worker": self.cluster.index, "work": self._work})
        content = b""
        while True:  # worker 0 sends the content again after it lost another worker
            message, received = messages.receive()
            if error := ERRORS.get(str(message.get("error"))):
                raise error(message["headline"], expected=message["expected"], remedy=message["remedy"])
            if message.get("begin"):
                return content
            content = received
            messages.send({})

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
            f"the configuration or data of worker {numbers} differ from those of worker 0",
            expected="the same configuration, code, libraries, data and list of workers",
            remedy="start the same command with the same root on all workers",
        )


def endpoint(address: str) -> tuple[str, int]:
    """Return host and port of an address.

    >>> endpoint("[::1]:2222")
    ('::1', 2222)
    """
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _listen(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        with suppress(OSError):  # IPv6 may be disabled for this container
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _refuse(connections: Iterable[Messages], error: JobError) -> None:
    """Send an error to all connected workers, and raise it."""
    texts = {"headline": error.headline, "expected": error.expected, "remedy": error.remedy}
    for messages in connections:
        with suppress(OSError):
            messages.send({"error": type(error).__name__, **texts})
    raise error
