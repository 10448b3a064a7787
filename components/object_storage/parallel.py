"""Requests in parallel."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from components.object_storage.threads import run_in_threads

PARALLEL_REQUESTS = 8
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def in_parallel(function: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> list[ResultT]:
    """Return the results of a function that makes requests, in the order of the items; signals interrupt the wait."""
    waiting = [*items]
    results: dict[int, ResultT] = {}

    def call(number: int) -> Callable[[], None]:
        return lambda: results.update({number: function(waiting[number])})

    run_in_threads(map(call, range(len(waiting))), threads=PARALLEL_REQUESTS)
    return [results[number] for number in range(len(waiting))]
