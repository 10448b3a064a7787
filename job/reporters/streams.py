"""Standard output and error that outlive whoever reads them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO


class PipeSafeStream:
    """A text stream that falls silent when it can no longer be written to, rather than ending the run.

    A reader may go (`| head`), a log's disk may fill; the work goes on, and `run.json` tells of it.

    Attributes:
        failure: why it fell silent; None as long as it did not.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | ValueError | None = None

    @property
    def lost(self) -> bool:
        """Whether it fell silent."""
        return self.failure is not None

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or not."""
        if not self.lost:
            try:
                return self._stream.write(text)
            except (OSError, ValueError) as error:
                self._fall_silent(error)
        return len(text)

    def flush(self) -> None:
        """Flush, or not."""
        if not self.lost:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._fall_silent(error)

    def _fall_silent(self, failure: OSError | ValueError) -> None:
        """Let the stream lead nowhere, also for what Python still flushes when it ends."""
        self.failure = failure
        with suppress(OSError, ValueError), Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())


def ignore_broken_pipes() -> None:
    """Have standard output and error fall silent rather than fail, and print `?` for what they cannot encode."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before Python began
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  (as long as the process lives)
        elif not isinstance(stream, PipeSafeStream):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
            with suppress(OSError, ValueError):  # a stream that is no file
                os.set_blocking(stream.fileno(), True)
            setattr(sys, name, PipeSafeStream(stream))
