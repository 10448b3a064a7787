"""Locks between processes, on a file: the kernel holds them and releases them when a process dies."""

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from components.runtime.disk import DISK_FULL_ERRNOS

LOCK_POLL_SECONDS = 0.1
UNKNOWN_OWNER = "another run"
LOCK_FILE_MODE = 0o666
"""A file that a killed process left must not keep out another user who may write to the folder."""


class LockLostError(Exception):
    """Another process took a lock that this process held."""


@dataclass(frozen=True)
class HeldLock:
    """A lock that this process holds, unless it was stopped for long.

    A lock is lost if its file is deleted, or if a file system drops it: one that holds locks for each machine, or whose
    server was restarted. Another process then writes its own name to the file, or a new file.
    """

    path: Path
    content: bytes | None
    """Of the file when the lock was acquired."""

    def is_lost(self) -> bool:
        """Return whether another process has, or had, the lock."""
        return _read(self.path) != self.content

    def check(self) -> None:
        """Raise LockLostError if the lock is lost."""
        if self.is_lost():
            raise LockLostError(f"{self.path} was deleted, or another process holds it")


@contextmanager
def acquire(
    path: Path,
    *,
    owner: str = UNKNOWN_OWNER,
    on_wait: Callable[[str], None] | None = None,
    check: Callable[[], None] | None = None,
) -> Iterator[HeldLock]:
    """Hold a lock while the block runs; wait for the process that holds it now.

    Args:
        path: exists while the lock is held.
        owner: the name that waiting processes report, such as a run's id.
        on_wait: called once with the present owner if the lock is held.
        check: called while waiting; what it raises ends the wait.
    """
    lock = FileLock(path, mode=LOCK_FILE_MODE)
    waited = False
    while True:
        try:
            lock.acquire(timeout=LOCK_POLL_SECONDS if waited else 0, poll_interval=LOCK_POLL_SECONDS)
            break
        except Timeout:
            if check is not None:
                check()
            if on_wait is not None and not waited:
                on_wait(_read_owner(path))
            waited = True
    with _released_afterwards(lock, path, f"{owner}, process {os.getpid()} on {socket.gethostname()}") as held:
        yield held


@contextmanager
def try_acquire(path: Path) -> Iterator[bool]:
    """Hold a lock while the block runs if no other process holds it; yield whether that is so."""
    lock = FileLock(path, mode=LOCK_FILE_MODE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    except OSError as error:
        if error.errno not in DISK_FULL_ERRNOS or path.exists():
            raise
        yield True  # no space for the lock's file, so no other process can have created it
        return
    with _released_afterwards(lock, path):
        yield True


def is_held(path: Path) -> bool:
    """Return whether a process holds a lock. Does not write, so permission to read is enough."""
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
def _released_afterwards(lock: FileLock, path: Path, owner: str = "") -> Iterator[HeldLock]:
    if owner:
        with suppress(OSError):  # a full disk
            path.write_text(owner, encoding="utf-8")
    held = HeldLock(path, _read(path))
    try:
        yield held
    finally:
        if not held.is_lost():  # otherwise it is the file of another process
            # Before the release: a process that has the file open finds that it is gone, and starts again.
            with suppress(OSError):
                path.unlink()
        lock.release()


def _read(path: Path) -> bytes | None:
    with suppress(OSError):
        return path.read_bytes()
    return None


def _read_owner(path: Path) -> str:
    return (_read(path) or b"").decode("utf-8", "replace") or UNKNOWN_OWNER
