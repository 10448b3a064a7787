"""Standard output and error that do not end the job when their reader is gone."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO


class PipeSafeStream:
    """A text stream that drops its output after the first failed write, and keeps the error as `failure`.

    A reader may close the pipe (`| head`), or the disk of a log may be full; `run.json` still has the outcome.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | ValueError | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

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


def ignore_broken_pipes() -> None:
    """Make standard output and error `PipeSafeStream`s that replace characters which they cannot encode by `?`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before Python started
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  (open as long as the process lives)
        elif not isinstance(stream, PipeSafeStream):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
            with suppress(OSError, ValueError):  # a stream without a file descriptor
                os.set_blocking(stream.fileno(), True)
            setattr(sys, name, PipeSafeStream(stream))
