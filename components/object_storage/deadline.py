"""The moment at which all requests of the process must have ended, because the process ends or is killed then."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from components.base.errors import ResourceError

_deadlines: list[Callable[[], float]] = []


@contextmanager
def requests_end_by(deadline: Callable[[], float]) -> Iterator[None]:
    """Let all requests end at a moment while the block runs.

    Args:
        deadline: returns the moment, by the monotonic clock; infinity while there is none.
    """
    _deadlines.append(deadline)
    try:
        yield
    finally:
        _deadlines.remove(deadline)


def seconds_left() -> float:
    """Return the seconds until all requests must have ended: 0 from then on, infinity if there is no such moment."""
    return max(0.0, min((deadline() for deadline in _deadlines), default=math.inf) - time.monotonic())


def check_time_left() -> None:
    """Raise ResourceError if all requests must have ended."""
    if seconds_left() == 0:
        raise ResourceError(
            "no response from object storage before the job has to end",
            expected="a store that responds",
            remedy="check the network and the endpoint, and run the same command again",
        )
