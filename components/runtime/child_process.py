"""Child process: runs a command that ends with the job, and that only the job interrupts."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

POLL_SECONDS = 0.1
BLOCKED_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run_child(
    command: Sequence[str], *, timeout_seconds: float, check: Callable[[], None]
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, and return its exit code and output.

    `timeout`, systemd and Slurm send a signal to all processes of a job. The child ignores it, because the job decides
    when to end: `check` is called often, and an exception that it raises ends the child.

    A killed process cannot end its children: the command must do that itself (PR_SET_PDEATHSIG).

    Raises:
        subprocess.TimeoutExpired: if the command takes longer.
    """
    deadline = time.monotonic() + timeout_seconds
    pipe = subprocess.PIPE
    with signals_blocked():
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, errors="replace"
        )
    with process:
        try:
            while True:
                check()
                try:
                    stdout, stderr = process.communicate(timeout=POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    if time.monotonic() > deadline:
                        raise
                else:
                    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
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
