"""Disk space: turn a full disk into one StorageError that states how much space was needed and how much was free."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.base.errors import JobError, StorageError
from components.base.formatting import format_size

DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)
"""The disk is full, or the user's quota is used up."""
FULL_BELOW_BYTES = 64 * 1024
"""With less free space than this, a failed write may be due to the disk even if the error does not say so."""
FREE_SPACE = "free some space on it, or use another disk"


@contextmanager
def disk_space_guard(
    directory: Path, needed: int | None = None, what: str = "what is written", *, remedy: str = FREE_SPACE
) -> Iterator[None]:
    """Raise StorageError in place of any error that a full disk causes while the block writes below a directory.

    The message says that `what`, such as "the scaled images", needs about `needed` bytes, or does not say how many.
    """
    free = free_bytes(directory)
    try:
        yield
    except JobError:
        raise
    except Exception as error:
        if not is_disk_full(error, directory):
            raise
        if needed is None:
            raise disk_full_error(directory, remedy=remedy) from error
        raise _no_space(directory, what, f"about {format_size(needed)}", free, remedy) from error


def is_disk_full(error: BaseException, directory: Path) -> bool:
    """Return whether a full disk caused a failed write below a directory.

    Libraries report it in different ways: by `errno`, by its text, or (`numpy.ndarray.tofile`) only by a short write.
    """
    name = os.strerror(errno.ENOSPC)
    if any(getattr(cause, "errno", None) in DISK_FULL_ERRNOS or name in str(cause) for cause in _causes(error)):
        return True
    return isinstance(error, OSError) and free_bytes(directory) < FULL_BELOW_BYTES


def disk_full_error(directory: Path, *, remedy: str = FREE_SPACE) -> StorageError:
    """Return the error for a full disk where the size of the data was not known in advance."""
    written = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    needed = f"more than the {format_size(written)} written"
    return _no_space(directory, "what is written", needed, free_bytes(directory), remedy)


def free_bytes(directory: Path) -> int:
    """Return the free space on the disk of a directory, which need not exist yet."""
    return shutil.disk_usage(nearest_existing(directory)).free


def nearest_existing(path: Path) -> Path:
    """Return a path, or its nearest parent that exists."""
    path = path.absolute()
    # Path.exists() raises if a parent folder is not accessible.
    return next(parent for parent in (path, *path.parents) if os.path.exists(parent))  # noqa: PTH110


def _no_space(directory: Path, what: str, needed: str, free: int, remedy: str) -> StorageError:
    usage = os.statvfs(nearest_existing(directory))
    inodes = ", and no room for another file" if usage.f_files and not usage.f_favail else ""
    headline = f"no space for {what} on the disk of {directory}: {needed} needed, {format_size(free)} free{inodes}"
    return StorageError(headline, expected=f"enough space for {what}", remedy=remedy)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
