"""How a component tells what its time went into: named parts, on the wall's clock and the processors'."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Elapsed:
    """Time that went by."""

    seconds: float = 0.0
    """On the wall's clock."""
    cpu_seconds: float = 0.0
    """On the processors, by all threads of the process, and by processes that it started and that have ended."""

    def __add__(self, other: Elapsed) -> Elapsed:
        return Elapsed(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds)

    def __sub__(self, other: Elapsed) -> Elapsed:
        return Elapsed(self.seconds - other.seconds, self.cpu_seconds - other.cpu_seconds)


def read_clocks() -> Elapsed:
    """Return what both clocks show; only the difference of two readings means something."""
    children = os.times()
    return Elapsed(time.perf_counter(), time.process_time() + children.children_user + children.children_system)


class Stopwatch:
    """Measures a piece of work from now on: the whole, and its named parts.

    Every moment counts for one part at most, the innermost that is open, so that the parts never
    add up to more than the whole. It is for one thread, though it counts the work of all.

    Args:
        read: reads the clocks.

    >>> stopwatch = Stopwatch(read=iter(Elapsed(float(second)) for second in range(9)).__next__)
    >>> with stopwatch.timed("reading"), stopwatch.timed("imports"):
    ...     pass
    >>> {name: spent.seconds for name, spent in stopwatch.parts().items()}, stopwatch.whole().seconds
    ({'reading': 2.0, 'imports': 1.0}, 5.0)
    """

    def __init__(self, read: Callable[[], Elapsed] = read_clocks) -> None:
        self._read = read
        self._began = self._counted_to = read()
        self._parts: dict[str, Elapsed] = {}
        self._open: list[str] = []

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Count the block for that part, whatever ends it; one of the same name adds to it."""
        self._count()
        depth = len(self._open)
        self._open.append(part)
        self._parts.setdefault(part, Elapsed())
        try:
            yield
        finally:
            self._count()
            del self._open[depth:]

    def parts(self) -> dict[str, Elapsed]:
        """Return what each part took so far, in the order in which they were begun."""
        return dict(self._parts)

    def whole(self) -> Elapsed:
        """Return what all took so far, in parts or not."""
        return self._read() - self._began

    def _count(self) -> None:
        """Count the time since it was last counted for the innermost part that is open."""
        now = self._read()
        if self._open:
            self._parts[self._open[-1]] += now - self._counted_to
        self._counted_to = now
