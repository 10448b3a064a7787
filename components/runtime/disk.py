"""The disk: what is written is brought to it, and too little space on it is told in one sentence."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from components.base.errors import JobError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
"""The disk, or what the user may use of it."""
SLACK = 64 * 1024
"""With less than so many bytes free, a disk is full: what failed to be written may have been cut short by it."""
UNITS = ("bytes", "kB", "MB", "GB", "TB")


def flush(path: Path) -> None:
    """Have the operating system bring a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def disk_space_guard(directory: Path, needed: int | None = None, what: str = "what is written") -> Iterator[None]:
    """Tell a disk that is full, while the block writes, with how much space was needed and how much there was.

    Args:
        directory: where the block writes.
        needed: about how many bytes; None where nobody can say before.
        what: what they are, such as "the scaled images".

    Raises:
        StorageError: in place of whatever a full disk makes the block raise.
    """
    free = _usage(directory).free
    try:
        yield
    except JobError:
        raise
    except Exception as error:
        if not is_disk_full(error, directory):
            raise
        if needed is None:
            raise disk_full(directory) from error
        raise no_space(directory, what, needed=f"about {readable(needed)}", free=free) from error


def is_disk_full(error: BaseException, directory: Path) -> bool:
    """Return whether a full disk is behind a failure to write below a directory.

    Libraries tell of it in ways of their own: by `errno`, by its name in a text, or
    (`numpy.ndarray.tofile`) by having written less than they should.
    """
    name = os.strerror(errno.ENOSPC)
    if any(getattr(cause, "errno", None) in FULL or name in str(cause) for cause in _chain(error)):
        return True
    return isinstance(error, OSError) and _usage(directory).free < SLACK


def disk_full(directory: Path) -> StorageError:
    """Return the error for a disk that was found full by somebody who had not said how much he would write."""
    written = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    needed = f"more than the {readable(written)} written"
    return no_space(directory, "what is written", needed=needed, free=_usage(directory).free)


def no_space(directory: Path, what: str, *, needed: str, free: int) -> StorageError:
    """Return the error for a disk that is full."""
    usage = os.statvfs(existing(directory))
    files = ", and no room for another file" if usage.f_files and not usage.f_favail else ""
    return StorageError(
        f"no space for {what} on the disk of {directory}: {needed} needed, {readable(free)} free{files}",
        expected="room for what the step writes",
        remedy="make room (`python -m job gc` lists what no run refers to), or name a root on another disk with --root",
    )


def readable(size: int) -> str:
    """Return a number of bytes in words, in powers of 1000.

    >>> readable(999), readable(2_212_343), readable(3_000_000_000_000_000)
    ('999 bytes', '2.2 MB', '3000.0 TB')
    """
    if size < 1000:
        return f"{size} bytes"
    power = min((len(str(size)) - 1) // 3, len(UNITS) - 1)
    return f"{size / 1000**power:.1f} {UNITS[power]}"


def _usage(directory: Path) -> Any:
    return shutil.disk_usage(existing(directory))


def existing(directory: Path) -> Path:
    """Return a directory, or the nearest of its parents that is there."""
    directory = directory.absolute()
    # pathlib's own raises where a folder on the way may not be entered.
    return next(path for path in (directory, *directory.parents) if os.path.exists(path))  # noqa: PTH110


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what caused it, and what caused that."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
