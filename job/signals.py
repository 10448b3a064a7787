"""SIGTERM and SIGINT: a flag that components check between units of work, and an exception if they do not."""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from components.base.errors import TerminationError
from components.base.termination import Interrupted
from components.object_storage.deadline import requests_end_by
from components.object_storage.settings import REST_SECONDS, storage_settings

GRACE_SECONDS = 5.0
"""Time in which a component can check the flag before it is interrupted."""
ECHO_SECONDS = 1.0
"""A signal within this time repeats the first one: Slurm sends SIGTERM twice within milliseconds when it preempts."""
RETRY_SECONDS = 1.0
"""Interval at which work is interrupted again, because code may catch every exception."""
REMEDY = "run the same command again: sealed artifacts are reused, and training resumes from its last checkpoint"


class Signals:
    """The `Termination` of a process that handles SIGTERM and SIGINT.

    The first signal sets a flag. After `grace_seconds` it also interrupts work in an `interruptible` block, unless
    that work is `deferred`. A second signal interrupts such work at once, deferred or not. Work in an
    `interruptible_at_once` block is interrupted by the first signal.
    """

    def __init__(
        self, remedy: str = REMEDY, *, grace_seconds: float = GRACE_SECONDS, echo_seconds: float = ECHO_SECONDS
    ) -> None:
        self.remedy = remedy
        self._grace_seconds = grace_seconds
        self._echo_seconds = echo_seconds
        self._error: TerminationError | None = None
        self._first_signal_at = 0.0
        self._block_grace_seconds: float | None = None  # of the innermost block; None outside of any
        self._deferred = False

    @property
    def requested(self) -> bool:
        """Whether a signal was received."""
        return self._error is not None

    def requested_for(self, seconds: float) -> bool:
        """Return whether the first signal was received at least this many seconds ago."""
        return self.requested and time.monotonic() - self._first_signal_at >= seconds

    @property
    def ended_requests(self) -> bool:
        """Whether a signal was received so long ago that requests to object storage have ended."""
        return time.monotonic() >= self._requests_end_at()

    def check(self) -> None:
        """Raise TerminationError if a signal was received."""
        if self._error is not None:
            raise self._error

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let only a second signal interrupt the block, which promises to check `requested` often."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        self.check()

    def interruptible(self) -> AbstractContextManager[None]:
        """Return a block that signals interrupt if it does not check; elsewhere they only set the flag.

        Raises:
            TerminationError: if a signal interrupted the block, or was received before it.
            Interrupted: if a signal arrived at the very moment in which the block ended.
        """
        return self._interruptible(self._grace_seconds)

    def interruptible_at_once(self) -> AbstractContextManager[None]:
        """Return a block like `interruptible` that the first signal interrupts: it has no progress to save."""
        return self._interruptible(0.0)

    @contextmanager
    def interruptible_by_repetition(self) -> Iterator[None]:
        """Return a block that ends early, without an error, when a second signal is received."""
        outer = self._block_grace_seconds, self._deferred
        self._block_grace_seconds, self._deferred = self._grace_seconds, True
        try:
            yield
        except Interrupted:
            pass
        finally:
            self._block_grace_seconds, self._deferred = outer

    def shield(self) -> None:
        """Let signals only set the flag from now on, until the innermost block ends."""
        self._block_grace_seconds = None

    @contextmanager
    def _interruptible(self, grace_seconds: float) -> Iterator[None]:
        self.check()
        outer = self._block_grace_seconds
        try:
            self._block_grace_seconds = grace_seconds
            yield
        except Interrupted as interrupted:
            raise interrupted.error from None
        finally:
            self._block_grace_seconds = outer

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle signals while the block runs. Does nothing outside the main thread, where Python cannot."""
        try:
            before = {number: signal.signal(number, self._receive) for number in (signal.SIGTERM, signal.SIGINT)}
        except ValueError:
            yield
            return
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._interrupt)
        try:
            with requests_end_by(self._requests_end_at):
                yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _requests_end_at(self) -> float:
        if self._error is None:
            return math.inf
        return self._first_signal_at + storage_settings().grace + REST_SECONDS

    def _receive(self, number: int, frame: object) -> None:  # noqa: ARG002
        grace = self._block_grace_seconds
        if self._error is None:
            self._first_signal_at = time.monotonic()  # first: an echo may arrive between any two lines
            name = signal.Signals(number).name
            self._error = TerminationError(f"the job was interrupted ({name})", remedy=self.remedy)
            seconds = RETRY_SECONDS if grace == 0 else self._grace_seconds
            signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
            if grace == 0:
                raise Interrupted(self._error)
        elif grace is not None and time.monotonic() - self._first_signal_at > self._echo_seconds:
            raise Interrupted(self._error)

    def _interrupt(self, number: int, frame: object) -> None:  # noqa: ARG002
        if self._error is not None and self._block_grace_seconds is not None and not self._deferred:
            raise Interrupted(self._error)
