"""Requests in threads, alone or in parallel: signals and a check interrupt the wait."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from components.object_storage.threads import run_in_threads

THREADS = 16

T = TypeVar("T")


def call_all(functions: Sequence[Callable[[], T]], check: Callable[[], None] = lambda: None) -> list[T]:
    """Call functions in parallel, and return their results in order; the first error is raised.

    Args:
        check: called while waiting; what it raises ends the wait.
    """
    results: dict[int, T] = {}

    def stored(number: int, function: Callable[[], T]) -> Callable[[], None]:
        return lambda: results.update({number: function()})

    run_in_threads([stored(*item) for item in enumerate(functions)], threads=THREADS, on_tick=check)
    return [results[number] for number in range(len(functions))]


def call(function: Callable[[], T], check: Callable[[], None]) -> T:
    """Return what a function returns; `check` is called while waiting, and what it raises ends the wait."""
    return call_all([function], check)[0]
