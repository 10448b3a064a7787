"""Timing: the named parts of a step, in wall time and CPU time."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Elapsed:
    """Elapsed time."""

    seconds: float = 0.0
    """Wall time."""
    cpu_seconds: float = 0.0
    """CPU time of all threads of the process and of its child processes that have ended."""

    def __add__(self, other: Self) -> Self:
        return type(self)(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.seconds - other.seconds, self.cpu_seconds - other.cpu_seconds)


def read_clocks() -> Elapsed:
    """Read both clocks; only the difference of two readings has a meaning."""
    times = os.times()
    return Elapsed(time.perf_counter(), time.process_time() + times.children_user + times.children_system)


def ignore_part(part: str) -> None:
    """Do nothing: the null object of `on_part`."""


class Stopwatch:
    """Measures the time since its creation, in total and by named part.

    Nested parts do not overlap: time counts only for the innermost part that is open, so the sum of the parts never
    exceeds the total. Use it from one thread; CPU time includes all threads.

    Args:
        on_part: called with the innermost open part whenever it changes.

    >>> stopwatch = Stopwatch(read=iter(Elapsed(float(second)) for second in range(9)).__next__)
    >>> with stopwatch.timed("reading"), stopwatch.timed("imports"):
    ...     pass
    >>> {name: part.seconds for name, part in stopwatch.parts().items()}, stopwatch.elapsed().seconds
    ({'reading': 2.0, 'imports': 1.0}, 5.0)
    """

    def __init__(self, read: Callable[[], Elapsed] = read_clocks, on_part: Callable[[str], None] = ignore_part) -> None:
        self._read, self._on_part = read, on_part
        self._started = self._counted_until = read()
        self._parts: dict[str, Elapsed] = {}
        self._open: list[str] = []

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time of the block to a part, also if the block raises an error."""
        self._count()
        depth = len(self._open)
        self._open.append(part)
        self._parts.setdefault(part, Elapsed())
        try:
            self._on_part(part)
            yield
        finally:
            self._count()
            del self._open[depth:]
        if self._open:
            self._on_part(self._open[-1])

    def parts(self) -> dict[str, Elapsed]:
        """Return the time of each part so far, in the order in which the parts first began."""
        return dict(self._parts)

    def elapsed(self) -> Elapsed:
        """Return the total time so far, including time outside all parts."""
        return self._read() - self._started

    def _count(self) -> None:
        now = self._read()
        if self._open:
            self._parts[self._open[-1]] += now - self._counted_until
        self._counted_until = now
