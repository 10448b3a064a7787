"""Locks between processes on one folder: held by the kernel, and so let go of when a process dies."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from components.runtime.disk import FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POLL = 0.1
"""Seconds between two looks at a lock that another process holds."""
SOMEBODY = "another run"
ANYBODY = 0o666
"""Mode of a lock's file: what a killed process left must not keep another user out who may write to the folder."""


@contextmanager
def acquire(
    path: Path,
    *,
    holder: str = SOMEBODY,
    waiting: Callable[[str], None] | None = None,
    check: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Hold a lock for as long as the block runs, after whoever holds it now.

    Args:
        path: the lock's file, there for as long as it is held.
        holder: what those who wait are told, such as a run's id.
        waiting: told once who holds it, if somebody does.
        check: called while waiting; what it raises ends that.
    """
    lock = FileLock(path, mode=ANYBODY)
    told = False
    while True:
        try:
            lock.acquire(timeout=POLL if told else 0, poll_interval=POLL)
            break
        except Timeout:
            if check is not None:
                check()
            if waiting is not None and not told:
                waiting(_holder(path))
            told = True
    with _held(lock, path):
        with suppress(OSError):  # only for those who wait
            path.write_text(f"{holder}, process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield


@contextmanager
def try_acquire(path: Path) -> Iterator[bool]:
    """Hold a lock for as long as the block runs if nobody else does; yields whether that is so."""
    lock = FileLock(path, mode=ANYBODY)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    except OSError as error:
        if error.errno not in FULL or path.exists():
            raise
        yield True  # there is no room for its file, for others neither
        return
    with _held(lock, path):
        yield True


def is_held(path: Path) -> bool:
    """Return whether a process holds a lock; asked without writing, so that anybody who may read can ask."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


@contextmanager
def _held(lock: FileLock, path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        # Before it is let go of: whoever has it open by then finds it gone, and begins again.
        with suppress(OSError):
            path.unlink()
        lock.release()


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") or SOMEBODY
    except (OSError, UnicodeDecodeError):
        return SOMEBODY
