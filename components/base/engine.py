"""Engine: where the independent tasks of a step run."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Engine(Protocol):
    """Runs independent tasks: in this process, in several, or on several machines.

    The result is the same on each engine, because a task depends only on its arguments and on files that no other task
    writes. If the process of a task is killed, the task runs again: it must write each of its files from the beginning.
    """

    @property
    def parallel(self) -> int:
        """Maximum number of tasks that run at once."""

    def run(
        self, tasks: Sequence[Callable[[], Result]], check: Callable[[], None], sizes: Sequence[int] | None = None
    ) -> Iterator[Result]:
        """Run tasks, and yield their results in the order of the tasks.

        Args:
            tasks: functions of a module with their arguments (`functools.partial`), which can be pickled.
            check: called often; an exception that it raises ends all tasks.
            sizes: relative durations of the tasks, such as numbers of images; by default, all are equal.

        Raises:
            ResourceError: if the process of a task is killed repeatedly, or the engine is unreachable.
        """


class InProcess:
    """Runs one task after the other, in this process."""

    parallel = 1

    def run(
        self,
        tasks: Sequence[Callable[[], Result]],
        check: Callable[[], None],
        sizes: Sequence[int] | None = None,  # noqa: ARG002
    ) -> Iterator[Result]:
        for task in tasks:
            check()
            yield task()
