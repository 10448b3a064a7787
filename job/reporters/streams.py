"""Standard streams that raise no error when they are closed, when their reader is gone or when their disk is full."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO


class PipeSafeStream:
    """A text stream that drops its output after the first failed write, and keeps the error as `failure`.

    A reader may close the pipe (`| head`), or the disk of a log may be full; `run.json` still has the outcome.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | ValueError | None = None
        self.is_log = False
        """Whether the command succeeds even if its output is lost."""

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    @property
    def problem(self) -> str:
        """Why output is lost that someone reads; empty if none is, or if the reader closed the pipe."""
        if self.failure is None or isinstance(self.failure, BrokenPipeError):
            return ""
        return getattr(self.failure, "strerror", None) or str(self.failure)

    def write(self, text: str) -> int:
        self._unless_failed(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._unless_failed(self._stream.flush)

    def _unless_failed(self, call: Callable[[], object]) -> None:
        if self.failure is not None:
            return
        try:
            call()
        except (OSError, ValueError) as error:
            self.failure = error
            # To /dev/null, so that the flush at exit cannot fail either.
            with suppress(OSError, ValueError), Path(os.devnull).open("w") as null:
                os.dup2(null.fileno(), self._stream.fileno())


@contextmanager
def pipe_safe_streams() -> Iterator[None]:
    """Make standard output and error `PipeSafeStream`s while the block runs.

    They replace characters which they cannot encode by `?`. A stream that was closed before the start is /dev/null.
    """
    _open_closed_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = sys.stdin or Path(os.devnull).open()  # noqa: SIM115  (open as long as the process lives)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or Path(os.devnull).open("w")  # noqa: SIM115
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
        with suppress(OSError, ValueError):  # a stream without a file descriptor
            os.set_blocking(stream.fileno(), True)
        setattr(sys, name, PipeSafeStream(stream))
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def _open_closed_descriptors() -> None:
    """Open /dev/null in place of a closed standard stream. Otherwise the next file gets its number, and its output."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003  (it gets the lowest free number)


def treat_standard_output_as_log() -> None:
    """Let the command succeed even if its standard output is lost."""
    if isinstance(sys.stdout, PipeSafeStream):
        sys.stdout.is_log = True
