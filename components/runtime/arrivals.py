"""Arrivals: the workers that are connected to worker 0, on a port to which other programs can connect too."""

import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass

from components.runtime.messages import ConnectionLostError, Messages

HELLO_SECONDS = 2.0
"""From a connection to its whole first message; a worker that needs longer connects again."""
GRACE_SECONDS = 10.0
"""In which a worker replaces an earlier process at its address that does other work, such as a pod that is ending."""
REPLY_SECONDS = 60.0
"""Time limit for the other process to accept a part of the content, or to reply."""
END_SECONDS = 10.0
"""For the last message, and to close a connection."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A worker that is connected to worker 0."""

    messages: Messages
    work: str
    time: float
    """Of its first message, on the clock of `time.monotonic`."""


class Arrivals(AbstractContextManager["Arrivals"]):
    """The workers that are connected to worker 0; as a context manager, all are disconnected at the end of the block.

    Args:
        count: of all workers.
        work: identifies what worker 0 is about to do.
        check: called while waiting; an exception that it raises ends the wait.
    """

    def __init__(self, count: int, work: str, check: Callable[[], None]) -> None:
        self._others = range(1, count)
        self._work = work
        self._check = check
        self._arrived: dict[int, Arrival] = {}

    def __exit__(self, *_: object) -> None:
        for index in [*self._arrived]:
            self._forget(index)

    @property
    def missing(self) -> list[int]:
        """The workers that are not connected."""
        return [index for index in self._others if index not in self._arrived]

    @property
    def different(self) -> list[int]:
        """The connected workers that are about to do other work than worker 0."""
        return [index for index, arrival in sorted(self._arrived.items()) if arrival.work != self._work]

    @property
    def are_different_for_good(self) -> bool:
        """Whether all workers are connected, and one does other work and was not replaced."""
        latest = time.monotonic() - GRACE_SECONDS
        return not self.missing and any(self._arrived[index].time <= latest for index in self.different)

    def accept(self, server: socket.socket) -> None:
        """Accept a connection if there is one, and close it at once if it is not that of a worker."""
        for index in [index for index, arrival in self._arrived.items() if arrival.messages.is_lost]:
            self._forget(index)
        with suppress(OSError, ConnectionLostError), ExitStack() as rejected:
            messages = rejected.enter_context(Messages(server.accept()[0], self._check))
            hello = messages.receive_short(seconds=HELLO_SECONDS)
            worker, work = hello.get("worker"), hello.get("work")
            if type(worker) is int and worker in self._others and isinstance(work, str):
                rejected.pop_all()
                self._forget(worker)
                self._arrived[worker] = Arrival(messages=messages, work=work, time=time.monotonic())

    def receive_all(self, content: bytes) -> bool:
        """Send the content, and return whether all workers received it; those that did not must connect again."""
        for index, arrival in [*self._arrived.items()]:
            try:
                arrival.messages.send({}, content, seconds=REPLY_SECONDS)
                arrival.messages.receive_short(seconds=REPLY_SECONDS)
            except ConnectionLostError:
                self._forget(index)
        return not self.missing

    def end(self, message: dict[str, object]) -> None:
        """Send a last message to all, and wait until they close the connections: then this port is free at once."""
        for arrival in self._arrived.values():
            with suppress(ConnectionLostError):
                arrival.messages.send(message, seconds=END_SECONDS)
        deadline = time.monotonic() + END_SECONDS
        for arrival in self._arrived.values():
            with suppress(ConnectionLostError):
                arrival.messages.receive_short(seconds=deadline - time.monotonic())

    def _forget(self, index: int) -> None:
        if (arrival := self._arrived.pop(index, None)) is not None:
            arrival.messages.close()
