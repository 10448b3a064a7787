"""Processes that run a module like `python -m`, forked from one that has already imported the large libraries.

Each is a real process with its own id, signals and files, and a child of the process that starts it. It begins to run
the module after 30 ms of CPU time; importing TensorFlow takes four seconds. It cannot show what a command imports,
whether a result depends on the hash seed, or what reaches the disk, because `os.fsync` does nothing: such tests start
Python themselves.

The server is this file, run as a module; it ends when its socket is closed, also if the tests are killed.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
LIBRARIES = (
    "tensorflow",
    "keras",
    "pandas",
    "pyarrow.parquet",
    "sklearn.model_selection",
    "scipy.ndimage",
    "matplotlib.figure",
    "PIL.Image",
    "pydantic",
    "typer",
    "rich.progress",
    "yaml",
    "jinja2",
    "sqlalchemy.orm",
    "alembic.config",
)
"""No module of the project: the new process imports these as they are when it starts."""
ENVIRONMENT = dict(os.environ)
"""Environment of the server; the first test that needs the server may have set an invalid one."""
MAXIMUM_REQUEST = 1 << 20
PR_SET_CHILD_SUBREAPER = 36


class WarmPython(subprocess.Popen[str]):
    """A process that runs `python -m MODULE ARGUMENT ...` with pipes for its output.

    Args:
        words: the module and its arguments.
        environment: its environment; variables that Python reads when it starts have no effect, except `PYTHONPATH`.
        folder: its working directory.
    """

    def __init__(self, *words: str, environment: dict[str, str], folder: Path) -> None:
        super().__init__(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _execute_child(self, *given: Any) -> None:
        """Replace the fork and exec of `subprocess`: its arguments are those of Python 3.11 to 3.13."""
        command, folder, environment, pipes = given[0], given[5], given[6], given[10:16]
        request = {"words": command[2:], "folder": str(folder), "environment": environment}
        self.pid = server().start(request, (pipes[0], pipes[3], pipes[5]))
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


class Server:
    """Client of the process that others are forked from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAXIMUM_REQUEST)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=REPOSITORY,
                env={**ENVIRONMENT, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # the streams of the processes are pipes, too
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
            )

    def start(self, request: dict[str, Any], streams: tuple[int, ...]) -> int:
        """Start a process with these standard streams, and return its id."""
        with self._lock, adopting_orphans():
            socket.send_fds(self._socket, [json.dumps(request).encode()], streams)
            if response := self._socket.recv(100):
                return int(response)
            assert self._process.stdout is not None
            raise RuntimeError(self._process.stdout.read().decode())


@cache
def server() -> Server:
    """Return the server of this process, started on first use."""
    return Server()


class adopting_orphans:  # noqa: N801  (a context manager)
    """Make orphaned descendants children of this process, instead of process 1, while the block runs."""

    def __enter__(self) -> None:
        self._set(1)

    def __exit__(self, *_: object) -> None:
        self._set(0)

    def _set(self, value: int) -> None:
        if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, value, 0, 0, 0):
            raise OSError("prctl")


def serve(connection: socket.socket) -> dict[str, Any]:
    """Fork for each request; return only in a new process, with its request."""
    while True:
        message, streams, *_ = socket.recv_fds(connection, MAXIMUM_REQUEST, 3)
        if not message:
            os._exit(0)
        reading, writing = os.pipe()
        if (between := fork()) == 0:
            between = os.getpid()
            if (pid := fork()) != 0:
                os.write(writing, str(pid).encode())
                os._exit(0)  # the process that runs the tests adopts the new one
            while os.getppid() == between:
                time.sleep(0.001)
            connection.close()
            os.close(reading)
            os.close(writing)
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            request: dict[str, Any] = json.loads(message)
            return request
        os.waitpid(between, 0)
        connection.send(os.read(reading, 100))
        for number in (reading, writing, *streams):
            os.close(number)


def fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 and later: the libraries have threads, which do nothing
        return os.fork()


def become(request: dict[str, Any], path: list[str]) -> None:
    """Run the module of a request, as the main program of this process."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    tempfile.tempdir = None
    module, *arguments = request["words"]
    sys.path[:] = [request["folder"], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)), *path]
    sys.argv = [module, *arguments]
    sys.orig_argv = [sys.executable, "-m", module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main() -> None:
    """Import the libraries, and fork."""
    path = [entry for entry in sys.path if entry not in ("", str(REPOSITORY))]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    for name in LIBRARIES:
        importlib.import_module(name)
    os.fsync = lambda fd: None  # noqa: ARG005  (no test turns off the power)
    become(serve(socket.socket(fileno=int(sys.argv[1]))), path)


if __name__ == "__main__":
    main()
