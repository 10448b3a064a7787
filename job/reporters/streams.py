"""Standard output and error that do not end the job when their reader is gone."""

import os
import sys
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

    @property
    def lost(self) -> bool:
        """Whether a write failed."""
        return self.failure is not None

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if not self.lost:
            try:
                return self._stream.write(text)
            except (OSError, ValueError) as error:
                self._discard_output(error)
        return len(text)

    def flush(self) -> None:
        if not self.lost:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._discard_output(error)

    def _discard_output(self, failure: OSError | ValueError) -> None:
        """Redirect the file descriptor to /dev/null, so that the flush at exit cannot fail either."""
        self.failure = failure
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
