"""SIGTERM and SIGINT: a flag that components check between units of work, and an exception if they do not."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from components.base.errors import TerminationError

GRACE_SECONDS = 5.0
"""Time in which a component can check the flag before it is interrupted."""
ECHO_SECONDS = 1.0
"""A signal within this time repeats the first one: Slurm sends SIGTERM twice within milliseconds when it preempts."""
REMEDY = "run the same command again: sealed artifacts are reused, and training resumes from its last checkpoint"


class Interrupted(BaseException):
    """Raised by a signal handler. Not an Exception, so that no component's `except Exception` catches it."""

    def __init__(self, error: TerminationError) -> None:
        super().__init__(error.headline)
        self.error = error


class Signals:
    """The `Termination` of a process that handles SIGTERM and SIGINT.

    The first signal sets a flag. After `grace_seconds` it also interrupts work in an `interruptible` block, unless
    that work is `deferred`. A second signal interrupts such work at once, deferred or not.
    """

    def __init__(
        self, remedy: str = REMEDY, *, grace_seconds: float = GRACE_SECONDS, echo_seconds: float = ECHO_SECONDS
    ) -> None:
        self._remedy = remedy
        self._grace_seconds = grace_seconds
        self._echo_seconds = echo_seconds
        self._error: TerminationError | None = None
        self._first_signal_at = 0.0
        self._interruptible = False
        self._deferred = False

    @property
    def requested(self) -> bool:
        """Whether a signal was received."""
        return self._error is not None

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

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let signals interrupt the block; elsewhere they only set the flag.

        Raises:
            TerminationError: if a signal interrupted the block, or was received before it.
            Interrupted: if a signal arrived at the very moment in which the block ended.
        """
        self.check()
        try:
            self._interruptible = True
            yield
        except Interrupted as interrupted:
            raise interrupted.error from None
        finally:
            self._interruptible = False

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
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def ignore(self) -> None:
        """Ignore signals from now on, because the process is about to end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    def _receive(self, number: int, frame: object) -> None:  # noqa: ARG002
        if self._error is None:
            self._first_signal_at = time.monotonic()  # first: an echo may arrive between any two lines
            name = signal.Signals(number).name
            self._error = TerminationError(f"the job was interrupted ({name})", remedy=self._remedy)
            signal.setitimer(signal.ITIMER_REAL, self._grace_seconds, self._grace_seconds)
        elif self._interruptible and time.monotonic() - self._first_signal_at > self._echo_seconds:
            raise Interrupted(self._error)

    def _interrupt(self, number: int, frame: object) -> None:  # noqa: ARG002
        if self._error is not None and self._interruptible and not self._deferred:
            raise Interrupted(self._error)
