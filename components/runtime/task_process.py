"""Task process: a process of the engine `Processes`, which runs the tasks that it receives."""

import ctypes
import os
import pickle
import signal
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from components.base.errors import one_line

PR_SET_PDEATHSIG = 1
OOM_SCORE = "500"
"""Of 1000: when memory is short, the kernel ends such a process, whose task runs again, and not the job."""


class TaskTraceback(Exception):  # noqa: N818  (the cause of an error)
    """The traceback of an error in another process, as text."""


@dataclass(frozen=True)
class TaskError:
    """The error that a task raised."""

    error: BaseException
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> "TaskError":
        """Return an error with its traceback; one that cannot be pickled becomes a RuntimeError."""
        text = "".join(traceback.format_exception(error))
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301
        except Exception:
            error = RuntimeError(one_line(error))
        return cls(error, text)

    def reraise(self) -> NoReturn:
        """Raise the error, with its traceback as the cause."""
        raise self.error from TaskTraceback(f"\n{self.traceback}")


def main(descriptor: int, parent: int) -> NoReturn:
    """Run tasks until the other end of a pipe is closed.

    Args:
        descriptor: of the pipe.
        parent: the process with which this one ends.
    """
    end_with(parent)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    pipe = Connection(descriptor)
    with suppress(EOFError, ConnectionError):
        while True:
            pipe.send_bytes(_outcome(pipe.recv_bytes()))
    os._exit(0)


def _outcome(task: bytes) -> bytes:
    """Run a pickled task; return its pickled result or TaskError."""
    try:
        return pickle.dumps(pickle.loads(task)())  # noqa: S301  (from the job)
    except BaseException as error:  # also of code that exits
        return pickle.dumps(TaskError.of(error))


def end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends or is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before
        os._exit(1)
