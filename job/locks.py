"""Locks between processes on one root: held by the kernel, and so let go of when a process dies."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POLL = 0.1
"""Seconds between two looks at a lock that another process holds."""


@contextmanager
def hold(
    path: Path,
    *,
    holder: str = "another run",
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
    lock = FileLock(path)
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
    try:
        with suppress(OSError):  # only for those who wait
            path.write_text(f"{holder}, process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        # Whoever has it open already finds it gone, and begins again.
        with suppress(OSError):
            path.unlink()
        lock.release()


@contextmanager
def hold_if_free(path: Path) -> Iterator[bool]:
    """Hold a lock for as long as the block runs if nobody else does; yields whether that is so."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        with suppress(OSError):
            path.unlink()
        lock.release()


def is_held(path: Path) -> bool:
    """Return whether a process holds a lock; none does where there is no file."""
    if not path.exists():
        return False
    try:
        with hold_if_free(path) as free:
            return not free
    except OSError:  # a root that may only be read
        return False


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") or "another run"
    except (OSError, UnicodeDecodeError):
        return "another run"
