"""Disk space: turn a full disk into one StorageError that states how much space was needed and how much was free.

The limit of the size of a file (`ulimit -f`) becomes a ResourceError.
"""

import errno
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from components.base.errors import JobError, ResourceError, StorageError
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
    """Raise StorageError or ResourceError in place of an error that a full disk or the limit of file size causes.

    The message says that `what`, such as "the scaled images", needs about `needed` bytes, or does not say how many.
    """
    free = free_bytes(directory)
    try:
        yield
    except JobError:
        raise
    except Exception as error:
        if is_over_file_limit(error):
            raise file_limit_error() from error
        if not is_disk_full(error, directory):
            raise
        if needed is None:
            raise disk_full_error(directory, remedy=remedy) from error
        raise _no_space(directory, what, f"about {format_size(needed)}", free, remedy) from error


def is_disk_full(error: BaseException, directory: Path) -> bool:
    """Return whether a full disk caused a failed write below a directory.

    Libraries report it in different ways: by `errno`, by its text, or (`numpy.ndarray.tofile`) only by a short write.
    """
    if _has_errno(error, *DISK_FULL_ERRNOS):
        return True
    return isinstance(error, OSError) and free_bytes(directory) < FULL_BELOW_BYTES


def is_over_file_limit(error: BaseException) -> bool:
    """Return whether a write failed because the file would be larger than this process may write.

    `numpy.ndarray.tofile` reports this, too, only by a short write.
    """
    if _has_errno(error, errno.EFBIG):
        return True
    return _file_limit() is not None and isinstance(error, OSError) and error.errno is None


def file_limit_error() -> ResourceError:
    """Return the error for a write beyond the limit of file size."""
    limit = _file_limit()
    size = "" if limit is None else f" of {format_size(limit)}"
    return ResourceError(
        f"a file is larger than the limit{size} for this process (`ulimit -f`)",
        expected="a limit that allows the files of the job",
        remedy="raise the limit (`ulimit -f unlimited`), and run the same command again",
    )


def disk_full_error(directory: Path, *, remedy: str = FREE_SPACE) -> StorageError:
    """Return the error for a full disk where the size of the data was not known in advance."""
    written = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with suppress(OSError):  # other processes may delete files now
                written += Path(folder, name).stat().st_size
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
    error = StorageError(headline, expected=f"enough space for {what}", remedy=remedy)
    error.folder = directory
    return error


def _file_limit() -> int | None:
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if limit == resource.RLIM_INFINITY else limit


def _has_errno(error: BaseException, *numbers: int) -> bool:
    """Return whether an error, or one that caused it, has one of these numbers, or its text."""
    texts = [os.strerror(number) for number in numbers]
    return any(
        getattr(cause, "errno", None) in numbers or any(text in str(cause) for text in texts)
        for cause in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
