"""A tracker in a thread of its own, so that a slow or broken tool cannot delay or fail the run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Full, Queue
from threading import Thread
from typing import TYPE_CHECKING

from components.base.errors import one_line
from job.config.redact import redact_passwords

if TYPE_CHECKING:
    from job.tracking.tracker import Tracker

QUEUE_SIZE = 10_000
"""Calls that may wait for a tracker; each holds the metrics of an epoch, or a record of a few kB."""


class BackgroundTracker:
    """Calls a tracker's methods in order, in a daemon thread that does not keep the process alive.

    After a failure the tracker's `abort` is called and all further calls are dropped.

    Attributes:
        name: of the tool.
        location: where to find the run in the tool.
        error: why the tracker stopped, without passwords; None while it works.
    """

    def __init__(self, name: str, tracker: Tracker, *, queue_size: int = QUEUE_SIZE) -> None:
        self.name = name
        self.location = tracker.location
        self.error: str | None = None
        self._tracker = tracker
        self._calls: Queue[Callable[[Tracker], None] | None] = Queue(queue_size)
        # A daemon, because Python waits for every other thread before it exits.
        self._thread = Thread(target=self._work, name=f"tracking.{name}", daemon=True)
        self._thread.start()

    @property
    def is_busy(self) -> bool:
        """Whether calls are waiting or in progress."""
        return self._thread.is_alive()

    def submit(self, call: Callable[[Tracker], None] | None) -> None:
        """Queue a call and return at once; None is the last one."""
        if self.error is not None:
            return
        try:
            self._calls.put_nowait(call)
        except Full:
            self.stop(f"{self._calls.maxsize:,} updates are waiting")

    def join(self, timeout_seconds: float) -> None:
        """Wait until all calls are done, at most for the given time."""
        self._thread.join(timeout_seconds)

    def stop(self, reason: str) -> None:
        """Drop all further calls; the one in progress cannot be interrupted."""
        self.error = self.error or reason

    def _work(self) -> None:
        try:
            while self.error is None and (call := self._calls.get()) is not None:
                call(self._tracker)
        except BaseException as error:  # a library may even call sys.exit
            self.stop(redact_passwords(one_line(error)))
        if self.error is not None:
            with suppress(BaseException):
                self._tracker.abort(self.error)
