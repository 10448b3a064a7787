"""Locks between processes, on a file: the kernel holds them and releases them when a process dies.

Some file systems have no such locks, such as FUSE, NFS or Lustre mounts without them. There every function raises
ResourceError: a lock that is only the existence of a file would outlive a killed process.
"""

import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from components.base.errors import ConfigError, ResourceError
from components.runtime.disk import DISK_FULL_ERRNOS

LOCK_POLL_SECONDS = 0.1
UNKNOWN_OWNER = "another run"
LOCK_FILE_MODE = 0o666
"""A file that a killed process left must not keep out another user who may write to the folder."""


class LockLostError(Exception):
    """Another process took a lock that this process held."""


@dataclass(frozen=True)
class HeldLock:
    """A lock that this process acquired, and may have lost since.

    A lock is lost if its file is deleted, or if the file system drops it: because it has locks for each machine alone,
    or because its server was restarted. The next owner writes its name to the file, or a new file.
    """

    path: Path
    content: bytes | None
    """Content of the file when the lock was acquired."""

    def is_lost(self) -> bool:
        """Return whether another process holds the lock, or has held it since."""
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
        check: called while waiting; an exception that it raises ends the wait.
    """
    waited = False
    while (lock := _lock(path, timeout=LOCK_POLL_SECONDS if waited else 0)) is None:
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
    try:
        lock = _lock(path, timeout=0)
    except OSError as error:
        if error.errno not in DISK_FULL_ERRNOS or path.exists():
            raise
        yield True  # no space for the lock's file, so no other process can have created it
        return
    if lock is None:
        yield False
        return
    with _released_afterwards(lock, path):
        yield True


def is_held(path: Path) -> bool:
    """Return whether a process holds a lock. Does not write, so permission to read is enough.

    Raises:
        ConfigError: if the lock may not be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError as error:
        remedy = "run the command as the user of the job, or grant permission to read it"
        raise ConfigError(f"cannot read the lock {path}: {error.strerror}", remedy=remedy) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        raise no_locks_error(path, error) from error
    else:
        return False
    finally:
        os.close(handle)


def check_locks(folder: Path) -> None:
    """Raise ResourceError if files in a folder cannot be locked, or OSError if none can be created."""
    with tempfile.TemporaryFile(dir=folder) as file:  # without a name, where the file system supports that
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise no_locks_error(folder, error) from error


def _lock(path: Path, *, timeout: float) -> FileLock | None:
    """Return a lock once this process holds it; None if another one holds it for that many seconds."""
    lock = FileLock(path, mode=LOCK_FILE_MODE, fallback_to_soft=False)
    try:
        lock.acquire(timeout=timeout, poll_interval=LOCK_POLL_SECONDS)
    except Timeout:
        return None
    except OSError as error:
        if error.filename is not None:  # the file cannot be opened
            raise
        raise no_locks_error(path, error) from error
    return lock


def no_locks_error(path: Path, error: OSError) -> ResourceError:
    """Return the error for a file that the file system cannot lock."""
    return ResourceError(
        f"the file system of {path} cannot lock files: {error.strerror or error}",
        expected="a file system with flock, which keeps concurrent runs apart",
        remedy="use a local disk, or mount it with locks",
    )


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
