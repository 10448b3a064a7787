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
"""Processes start if they are expected to save this time. Each takes one to two CPU-seconds to start, with imports."""
MAX_ATTEMPTS = 3
"""Maximum attempts of a task whose process is killed."""
POLL_SECONDS = 0.1
IDLE = -1
"""In place of the number of a task."""
EXIT_SECONDS = 5.0
"""Maximum wait for the end of a killed process; the kernel may delay it, for example for a device."""


@dataclass
class _Process:
    """A process that runs one task after the other."""

    child: subprocess.Popen[bytes]
    pipe: Connection
    task: int = IDLE
    """Number of the task that it runs, or `IDLE`."""

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
    """Runs tasks in child processes, which end with this one and do not receive signals to the process group.

    Tasks run in this process until their duration shows that child processes save time for the remaining ones.

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

    def run(
        self, tasks: Sequence[Callable[[], Result]], check: Callable[[], None], sizes: Sequence[int] | None = None
    ) -> Iterator[Result]:
        if self.parallel == 1 or not tasks or not is_portable(tasks[0]):
            return InProcess().run(tasks, check)
        return self._run(tasks, check, sizes or [1] * len(tasks))

    def _run(
        self, tasks: Sequence[Callable[[], Result]], check: Callable[[], None], sizes: Sequence[int]
    ) -> Iterator[Result]:
        seconds, done, total = 0.0, 0, sum(sizes)
        for number, (task, size) in enumerate(zip(tasks, sizes, strict=True)):
            seconds_left = seconds / done * (total - done) if done else 0.0
            saved = seconds_left * (1 - 1 / self.parallel)
            if number < len(tasks) - 1 and (self._processes or saved > MIN_SAVED_SECONDS):
                yield from self._run_in_processes(tasks[number:], check)
                return
            check()
            started = time.perf_counter()
            result = task()
            seconds, done = seconds + time.perf_counter() - started, done + size
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
        """Send a task to each idle process; start missing processes."""
        while len(self._processes) < min(self.parallel, len(pending)):
            self._processes.append(_Process.start())
        for process in self._processes:
            if process.task == IDLE and pending:
                process.task = pending.popleft()
                with suppress(ConnectionError):  # a killed process is detected when its result is read
                    process.pipe.send_bytes(pickle.dumps(tasks[process.task]))

    def _remove(self, process: _Process) -> None:
        self._processes.remove(process)
        process.kill()

    def _drop(self, process: _Process, attempts: int) -> None:
        """Remove a killed process; raise ResourceError after `MAX_ATTEMPTS` of its task."""
        self._remove(process)
        if attempts == MAX_ATTEMPTS:
            reason = _reason(process.child.returncode)
            raise ResourceError(
                f"the process of a task ended {attempts} times before the task was complete ({reason})",
                expected=f"memory for {self.parallel} processes",
                remedy="give the job more memory, or lower engine.workers or memory_budget",
            )


def _reason(code: int | None) -> str:
    return "it has not ended yet" if code is None else f"signal {-code}" if code < 0 else f"exit code {code}"
