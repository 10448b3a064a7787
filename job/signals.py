"""Signals that ask the job to end, turned into a flag that components look at."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from components.base.errors import TerminationError

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 5.0
"""Seconds that a component has to look at the flag before it is broken off where it is."""
ECHO = 1.0
"""Seconds in which a signal is an echo of the first: Slurm sends SIGTERM twice within milliseconds when it preempts."""
REMEDY = "run the same command again: what is sealed is reused, and training goes on from its last checkpoint"


class Interrupted(BaseException):
    """Raised by a signal handler; no component's `except Exception` holds it up.

    Args:
        told: what to tell of it.
    """

    def __init__(self, told: TerminationError) -> None:
        super().__init__(told.headline)
        self.told = told


class Signals:
    """The `Termination` of a job that hears SIGTERM and SIGINT.

    The first one sets a flag. Work that may be broken off is so after `PATIENCE` seconds, unless it
    promised to end by itself; a second signal, but not an echo of the first, breaks it off at once,
    whatever it promised.

    Args:
        remedy: what to do afterwards.
    """

    def __init__(self, remedy: str = REMEDY) -> None:
        self._remedy = remedy
        self._told: TerminationError | None = None
        self._asked = 0.0
        self._breakable = False
        self._deferred = False

    @property
    def requested(self) -> bool:
        """Whether the job was asked to end."""
        return self._told is not None

    def check(self) -> None:
        """Leave if the job was asked to end.

        Raises:
            TerminationError: if so.
        """
        if self._told is not None:
            raise self._told

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let only a second signal break off what the block does."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        self.check()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let signals break off what the block does; elsewhere they only set the flag.

        Raises:
            TerminationError: if they did, or the flag was set before.
            BrokenOff: if they did in the very moment in which the block ended.
        """
        self.check()
        try:
            self._breakable = True
            yield
        except Interrupted as broken:
            raise broken.told from None
        finally:
            self._breakable = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Hear signals for as long as the block runs, where they can be heard."""
        try:
            before = {number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)}
        except ValueError:  # not in the main thread: whoever runs the job there handles signals
            yield
            return
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._break_off)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def ignore(self) -> None:
        """Be deaf from now on, as the process is about to end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    def _ask(self, number: int, frame: object) -> None:  # noqa: ARG002
        if self._told is None:
            name = signal.Signals(number).name
            self._asked = time.monotonic()  # first, as an echo may come between any two lines
            self._told = TerminationError(f"the job was asked to end ({name})", remedy=self._remedy)
            signal.setitimer(signal.ITIMER_REAL, PATIENCE, PATIENCE)
        elif self._breakable and time.monotonic() - self._asked > ECHO:
            raise Interrupted(self._told)

    def _break_off(self, number: int, frame: object) -> None:  # noqa: ARG002
        if self._told is not None and self._breakable and not self._deferred:
            raise Interrupted(self._told)
