"""Child process: runs a command that ends with the job, and that only the job interrupts."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

POLL_SECONDS = 0.1
BLOCKED_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Child:
    """A running process, created by `start_child`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def finish(self, *, timeout_seconds: float, check: Callable[[], None]) -> subprocess.CompletedProcess[str]:
        """Close the child's standard input, wait for its end, and return its exit code and output.

        `check` is called often; an exception that it raises ends the wait.

        Raises:
            subprocess.TimeoutExpired: if the wait takes longer.
        """
        process, deadline = self._process, time.monotonic() + timeout_seconds
        while True:
            check()
            try:
                stdout, stderr = process.communicate(timeout=POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise
            else:
                return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


@contextmanager
def start_child(command: Sequence[str]) -> Iterator[Child]:
    """Run a command while the block runs; the end of the block ends it.

    `timeout`, systemd and Slurm send a signal to all processes of a job. The child ignores it, because the job decides
    when to end. A killed process cannot end its children: the command must do that itself (PR_SET_PDEATHSIG).
    """
    pipe = subprocess.PIPE
    with signals_blocked():
        process = subprocess.Popen(  # noqa: S603
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, errors="replace"
        )
    with process:
        try:
            yield Child(process)
        finally:
            process.kill()  # does nothing if it has ended


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Block signals in this thread, and for good in the processes that it starts; here they arrive afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
