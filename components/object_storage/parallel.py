"""Requests in parallel: signals and a check interrupt the wait."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from components.object_storage.threads import run_in_threads

PARALLEL_REQUESTS = 16

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def call_all(functions: Sequence[Callable[[], ResultT]], check: Callable[[], None] = lambda: None) -> list[ResultT]:
    """Call functions that make requests, and return their results in order; the first error is raised.

    Args:
        check: called while waiting; an exception that it raises ends the wait.
    """
    results: dict[int, ResultT] = {}

    def stored(number: int, function: Callable[[], ResultT]) -> Callable[[], None]:
        return lambda: results.update({number: function()})

    run_in_threads([stored(*item) for item in enumerate(functions)], threads=PARALLEL_REQUESTS, on_tick=check)
    return [results[number] for number in range(len(functions))]


def in_parallel(function: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> list[ResultT]:
    """Return the results of a function that makes requests, in the order of the items."""
    return call_all([partial(function, item) for item in items])
