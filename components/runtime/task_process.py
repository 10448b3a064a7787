"""Task process: a process of the engine `Processes`, which runs the tasks that it receives."""

import ctypes
import os
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from components.runtime.pickled_tasks import run_pickled

PR_SET_PDEATHSIG = 1
OOM_SCORE_ADJUSTMENT = "500"
"""From -1000 to 1000. When memory is short, the kernel kills this process, whose task runs again, and not the job."""


def main(descriptor: int, parent: int) -> NoReturn:
    """Run tasks until the other end of a pipe is closed.

    Args:
        descriptor: file descriptor of the pipe.
        parent: id of the process that started this one, and with which it ends.
    """
    end_with(parent)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE_ADJUSTMENT)
    pipe = Connection(descriptor)
    with suppress(EOFError, ConnectionError):
        while True:
            pipe.send_bytes(run_pickled(pipe.recv_bytes()))
    os._exit(0)


def end_with(parent: int) -> None:
    """Request that the kernel kills this process when its parent ends or is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the request
        os._exit(1)
