"""Standard error of the process, without the log of libraries that no setting disables."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import BinaryIO


@contextlib.contextmanager
def quiet_stderr(keep: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Hold back the process's standard error, and write it only if the block fails or `keep` returns true after it.

    The libraries below TensorFlow log a few lines while they load and convert, which no setting disables.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with _buffer() as buffer:
        os.dup2(buffer.fileno(), 2)
        is_kept = True
        try:
            yield
            is_kept = keep()
        finally:
            sys.stderr.flush()
            if is_kept:
                buffer.seek(0)
                os.write(stderr, buffer.read())
            os.dup2(stderr, 2)
            os.close(stderr)


def _buffer() -> BinaryIO:
    if hasattr(os, "memfd_create"):  # Linux: there may be no folder for temporary files
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()
