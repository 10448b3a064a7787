"""Limit of time for code that without its fix does not end."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def time_limit(seconds: int = 20) -> Iterator[None]:
    """Interrupt a block that does not end; use in the main thread."""

    def interrupt(*_: object) -> None:
        raise AssertionError(f"did not end within {seconds} s")

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
