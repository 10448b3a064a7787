"""A tool in a thread of its own, so that the run goes on, whatever the tool does with what it hears, or does not."""

from __future__ import annotations

from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from typing import TYPE_CHECKING

from components.base.errors import one_line
from job.tracking.redact import without_passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from job.tracking.tracker import Tool

MOST_WAITING = 10_000
"""Calls that a tool is behind before it is given up: each is an epoch's numbers, or a record, some kB at most."""


class InThread:
    """One tool, and the thread in which it hears, in order, what it is told.

    Nothing waits for the thread unless it says so, and it keeps no process from ending. A failure is kept
    for whoever looks, in the thread in which the run may be told of it; the tool hears no more then.

    Args:
        name: of the tool.
        tool: it, as it was made.

    Attributes:
        places: where a person looks for the run.
        failure: why the tool hears no more, without a password; None if it does.
    """

    def __init__(self, name: str, tool: Tool) -> None:
        self.name = name
        self.places: Mapping[str, str] = dict(tool.places)
        self.failure: str | None = None
        self._tool = tool
        self._calls: Queue[Callable[[Tool], None] | None] = Queue(MOST_WAITING)
        # A daemon: Python waits for every other thread before it ends.
        self._thread = Thread(target=self._hear, name=f"tracking.{name}", daemon=True)
        self._thread.start()

    @property
    def is_busy(self) -> bool:
        """Whether it still has something to hear, or to do."""
        return self._thread.is_alive()

    def tell(self, call: Callable[[Tool], None] | None) -> None:
        """Let the tool hear a call when it has heard those before; None is the last one. Returns at once."""
        if self.failure is not None:
            return
        try:
            self._calls.put_nowait(call)
        except Full:
            self.abandon(f"it is {MOST_WAITING:,} calls behind")

    def wait(self, seconds: float) -> None:
        """Wait until the tool has heard all, for so long at most."""
        self._thread.join(seconds)

    def abandon(self, why: str) -> None:
        """Let the tool hear no more once it is done with what it hears now, if it ever is."""
        self.failure = self.failure or why

    def _hear(self) -> None:
        try:
            while self.failure is None and (call := self._calls.get()) is not None:
                call(self._tool)
        except BaseException as error:  # whatever a library, a disk or a server comes up with
            self.abandon(without_passwords(one_line(error)))
        if self.failure is not None:
            with suppress(BaseException):
                self._tool.give_up(self.failure)
