"""Processes: the engine that runs tasks in several processes of this machine.

Python's ProcessPoolExecutor is not used: it waits forever for a process that is killed while it sends a large result,
because all processes share one pipe; and each of its processes imports the main script of the user again.
"""

import pickle
import subprocess
import sys
import time
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

MIN_SAVED_SECONDS = 3.0
"""Processes start if they are expected to save so much. A start takes one to two CPU-seconds for each, with imports."""
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
            # Standard output may be that of `--json` or of the JSON log: what a task prints is none of it.
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[theirs.fileno()])  # noqa: S603
        return cls(child, ours)

    def kill(self) -> None:
        self.child.kill()
        self.pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self.child.wait(EXIT_SECONDS)


class Processes:
    """Runs tasks in processes that end with this one, and that signals to the whole job do not reach.

    The first tasks run in this process, until their duration shows that processes save time for the others.

    >>> from functools import partial
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
        if self.parallel == 1 or not tasks or not is_portable(tasks[0]):
            return InProcess().run(tasks, check)
        return self._run(tasks, check)

    def _run(self, tasks: Sequence[Callable[[], Result]], check: Callable[[], None]) -> Iterator[Result]:
        seconds = 0.0
        for number, task in enumerate(tasks):
            remaining = len(tasks) - number
            saved = seconds / max(1, number) * remaining * (1 - 1 / self.parallel)
            if remaining > 1 and (self._processes or saved > MIN_SAVED_SECONDS):
                yield from self._run_in_processes(tasks[number:], check)
                return
            check()
            started = time.perf_counter()
            result = task()
            seconds += time.perf_counter() - started
            yield result

    def _run_in_processes(self, tasks: Sequence[Callable[[], Result]], check: Callable[[], None]) -> Iterator[Result]:
        pending, attempts, results = deque(range(len(tasks))), Counter[int](), dict[int, bytes]()
        try:
            for number in range(len(tasks)):
                while number not in results:
                    check()
                    self._assign(tasks, pending)
                    busy = {process.pipe: process for process in self._processes if process.task != IDLE}
                    for process in [busy[pipe] for pipe in wait([*busy], POLL_SECONDS) if isinstance(pipe, Connection)]:
                        done, process.task = process.task, IDLE
                        try:
                            results[done] = process.pipe.recv_bytes()
                        except (EOFError, ConnectionError):
                            attempts[done] += 1
                            self._drop(process, attempts[done])
                            pending.appendleft(done)
                yield unpickled_result(results.pop(number))  # the error of the first task that fails
        except BaseException:
            for process in [process for process in self._processes if process.task != IDLE]:
                self._remove(process)
            raise

    def _assign(self, tasks: Sequence[Callable[[], Any]], pending: deque[int]) -> None:
        """Give each idle process a task; start processes that are missing."""
        while len(self._processes) < min(self.parallel, len(pending)):
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
