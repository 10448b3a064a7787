"""Processes: the engine that runs tasks in several processes of this machine.

Python's ProcessPoolExecutor is not used: it waits forever for a process that is killed while it sends a large result,
because all processes share one pipe; and each of its processes imports the main script of the user again.
"""

import pickle
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from os import getpid
from typing import Any, Self

from components.base.engine import InProcess, Result
from components.base.errors import ResourceError
from components.runtime.child_process import signals_blocked
from components.runtime.pickled_tasks import is_portable, unpickled_result

TASKS_PER_PROCESS = 4
"""Minimum number of tasks for each process: with fewer, its start takes longer than it saves."""
MAX_ATTEMPTS = 3
POLL_SECONDS = 0.1
IDLE = -1
EXIT_SECONDS = 5.0
"""After which a killed process is left to the kernel: it waits for a device."""


@dataclass
class _Process:
    """A process that runs one task after the other."""

    child: subprocess.Popen[bytes]
    pipe: Connection
    task: int = IDLE
    """The number of the task that it runs."""

    @classmethod
    def start(cls) -> Self:
        ours, theirs = Pipe()
        main = f"from components.runtime.task_process import main; main({theirs.fileno()}, {getpid()})"
        command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path}; {main}"]
        with theirs, signals_blocked():
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])  # noqa: S603
        return cls(child, ours)

    def kill(self) -> None:
        self.child.kill()
        self.pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self.child.wait(EXIT_SECONDS)


class Processes:
    """Runs tasks in processes that end with this one, and that signals to the whole job do not reach.

    The processes start with the first tasks that are enough for two of them; fewer run in this process.

    >>> with Processes(2) as engine:
    ...     list(engine.run([partial(abs, -1), partial(abs, -2)], check=lambda: None))
    [1, 2]
    """

    def __init__(self, parallel: int) -> None:
        self.parallel = parallel
        self._processes: list[_Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill all processes."""
        while self._processes:
            self._processes.pop().kill()

    def run(self, tasks: Sequence[Callable[[], Result]], check: Callable[[], None]) -> Iterator[Result]:
        count = min(self.parallel, len(tasks) // TASKS_PER_PROCESS)
        if count < 2 or not is_portable(tasks[0]):
            return InProcess().run(tasks, check)
        return self._run(tasks, check, count)

    def _run(self, tasks: Sequence[Callable[[], Result]], check: Callable[[], None], count: int) -> Iterator[Result]:
        pending, attempts, results = deque(range(len(tasks))), Counter[int](), dict[int, Result]()
        try:
            for number in range(len(tasks)):
                while number not in results:
                    check()
                    self._assign(tasks, pending, count)
                    busy = {process.pipe: process for process in self._processes if process.task != IDLE}
                    for process in [busy[pipe] for pipe in wait([*busy], POLL_SECONDS) if isinstance(pipe, Connection)]:
                        done, process.task = process.task, IDLE
                        try:
                            results[done] = unpickled_result(process.pipe.recv_bytes())
                        except (EOFError, ConnectionError):
                            attempts[done] += 1
                            self._drop(process, attempts[done])
                            pending.appendleft(done)
                yield results.pop(number)
        except BaseException:
            for process in [process for process in self._processes if process.task != IDLE]:
                self._remove(process)
            raise

    def _assign(self, tasks: Sequence[Callable[[], Any]], pending: deque[int], count: int) -> None:
        """Give each idle process a task; start processes that are missing."""
        while len(self._processes) < min(count, len(pending)):
            self._processes.append(_Process.start())
        for process in self._processes:
            if process.task == IDLE and pending:
                process.task = pending.popleft()
                with suppress(ConnectionError):  # it was killed, which is detected when its result is read
                    process.pipe.send_bytes(pickle.dumps(tasks[process.task]))

    def _remove(self, process: _Process) -> None:
        self._processes.remove(process)
        process.kill()

    def _drop(self, process: _Process, attempts: int) -> None:
        """Forget a process that was killed; raise ResourceError if this ended the same task too often."""
        self._remove(process)
        if attempts == MAX_ATTEMPTS:
            reason = _reason(process.child.returncode)
            raise ResourceError(
                f"a process of the engine ended {attempts} times before its task was done ({reason})",
                expected=f"memory for {self.parallel} processes",
                remedy="give the job more memory, or lower engine.workers or memory_budget",
            )


def _reason(code: int | None) -> str:
    return "it does not end" if code is None else f"signal {-code}" if code < 0 else f"exit code {code}"
