"""Rendezvous: all workers of a cluster are running, on the same work, before TensorFlow connects them.

TensorFlow's own connection waits for missing workers without end, and no signal interrupts it. Worker 0 therefore
listens on its port first, and all others connect to it. When all are there, each receives the same bytes from worker 0.
Then the ports are free again, for TensorFlow.
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
REPLY_SECONDS = 10.0
"""Within which a worker that has connected replies."""
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
        port, problem = endpoint(self.cluster.workers[self.cluster.index])[1], ""
        for is_report_due in self._attempts():
            if is_report_due:
                self.report(f"{self.cluster} cannot listen on port {port}: {problem}")
            try:
                return _listen(port)
            except OSError as error:  # perhaps due to an earlier attempt, which is about to end
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
                    if self._hand_over(arrived, content):
                        return content
                with suppress(OSError, ConnectionLostError, KeyError, TypeError):
                    connection, _ = server.accept()
                    messages = stack.enter_context(Messages(connection, self.check, seconds=REPLY_SECONDS))
                    hello, _ = messages.receive()
                    index = int(hello["worker"])
                    works[index], arrived[index] = hello["work"], messages
            _refuse(arrived.values(), self._missing({*others} - {*arrived}))
        raise AssertionError  # `_refuse` raises

    def _hand_over(self, arrived: dict[int, Messages], content: bytes) -> bool:
        """Send the content, and return whether all received it; forget the workers that did not."""
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
                messages.receive()  # until the other side closes: then the port of this side is free at once
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
                    return self._take_part(messages)
            except (OSError, ConnectionLostError) as error:
                problem = first_line(error)
                time.sleep(POLL_SECONDS)
        raise self._missing([0])

    def _take_part(self, messages: Messages) -> bytes:
        messages.send({"worker": self.cluster.index, "work": self._work})
        content = b""
        while True:  # worker 0 sends the content again if it lost another worker meanwhile
            message, received = messages.receive()
            if error := ERRORS.get(str(message.get("error"))):
                raise error(message["headline"], expected=message["expected"], remedy=message["remedy"])
            if message.get("begin"):
                return content
            content = received
            messages.send({})

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
            f"the workers run different configurations or data: {numbers} and 0 differ",
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
    """Send an error to all workers that have connected, and raise it."""
    texts = {"headline": error.headline, "expected": error.expected, "remedy": error.remedy}
    for messages in connections:
        with suppress(OSError):
            messages.send({"error": type(error).__name__, **texts})
    raise error
