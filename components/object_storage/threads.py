"""Work in daemon threads, for which the main thread waits so that signals interrupt it.

A call of obstore blocks the handlers of signals until it returns, which takes a minute if a store does not respond.
The wait also ends when all requests must have ended; see `deadline`.
"""

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread, current_thread, main_thread
from typing import TypeVar

from components.object_storage.deadline import check_time_left

TICK_SECONDS = 0.1

T = TypeVar("T")


def run_interruptibly(function: Callable[[], T]) -> T:
    """Return what a function returns, or raise what it raises; in the main thread, signals interrupt the wait.

    Raises:
        ResourceError: if all requests must have ended.
    """
    check_time_left()
    if current_thread() is not main_thread():
        return function()
    results: list[T] = []
    run_in_threads([lambda: results.append(function())], threads=1)
    return results[0]


def run_in_threads(
    functions: Iterable[Callable[[], None]], *, threads: int, on_tick: Callable[[], None] = lambda: None
) -> None:
    """Call functions in several threads. The first error ends the wait and is raised; later functions are not called.

    The wait also ends, with ResourceError, when all requests must have ended.

    Args:
        on_tick: called in this thread, ten times a second and after each function.
    """
    waiting = deque(functions)
    count = len(waiting)
    outcomes: SimpleQueue[BaseException | None] = SimpleQueue()

    def work() -> None:
        with suppress(IndexError):
            while True:
                function = waiting.popleft()
                try:
                    function()
                except BaseException as error:
                    outcomes.put(error)
                else:
                    outcomes.put(None)

    workers = [Thread(target=work, daemon=True, name="object storage") for _ in range(min(threads, count))]
    for worker in workers:
        worker.start()
    try:
        for _ in range(count):
            if (error := _next(outcomes, on_tick)) is not None:
                raise error
    finally:
        waiting.clear()


def _next(outcomes: "SimpleQueue[BaseException | None]", on_tick: Callable[[], None]) -> BaseException | None:
    while True:
        try:
            outcome = outcomes.get(timeout=TICK_SECONDS)
        except Empty:
            on_tick()
            check_time_left()
        else:
            on_tick()
            return outcome
