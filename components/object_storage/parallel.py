"""Requests in parallel."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

PARALLEL_REQUESTS = 8
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def in_parallel(function: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> list[ResultT]:
    """Return the results of a function that makes requests, in the order of the items."""
    waiting = [*items]
    if len(waiting) < 2:
        return [function(item) for item in waiting]
    with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
        futures = [pool.submit(function, item) for item in waiting]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
