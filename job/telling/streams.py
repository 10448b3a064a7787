"""Standard output and error that outlive whoever reads them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO


class Lasting:
    """A text stream that falls silent when it can no longer be written to, rather than ending the run.

    A reader may go (`| head`), a log's disk may fill; the work goes on, and `run.json` tells of it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or not."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            self._fall_silent()
            return len(text)

    def flush(self) -> None:
        """Flush, or not."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._fall_silent()

    def _fall_silent(self) -> None:
        """Let the stream lead nowhere, also for what Python still flushes when it ends."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def make_lasting() -> None:
    """Have standard output and error fall silent rather than fail, and print `?` for what they cannot encode."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, Lasting):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
            setattr(sys, name, Lasting(stream))
