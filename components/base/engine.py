"""Engine: where the independent tasks of a step run."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Engine(Protocol):
    """Runs independent tasks: in this process, in several, or on several machines.

    The result is the same on each engine, because a task is a pure function of its arguments and of files that no
    other task writes. A task may run again after its process was killed: it writes each of its files from the
    beginning.
    """

    @property
    def parallel(self) -> int:
        """The number of tasks that run at once."""

    def run(self, tasks: Sequence[Callable[[], Result]], check: Callable[[], None]) -> Iterator[Result]:
        """Run tasks, and yield their results in the order of the tasks.

        Args:
            tasks: functions of a module with their arguments (`functools.partial`), which can be pickled.
            check: called often; what it raises ends all tasks.

        Raises:
            ResourceError: if processes of the engine are killed again and again, or it is unreachable.
        """


class InProcess:
    """Runs one task after the other, in this process."""

    parallel = 1

    def run(self, tasks: Sequence[Callable[[], Result]], check: Callable[[], None]) -> Iterator[Result]:
        for task in tasks:
            check()
            yield task()
