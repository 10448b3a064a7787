"""The disk: what is written is brought to it, and too little space on it is told in one sentence."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

from components.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


def require_space(directory: Path, needed: int, what: str) -> None:
    """See that a directory's disk has room for so many bytes.

    Args:
        directory: where they will be written.
        needed: how many.
        what: what they are, for the message.

    Raises:
        StorageError: if there is less.
    """
    if needed > (free := shutil.disk_usage(directory).free):
        raise no_space(directory, what, f"{readable(needed)} are needed", free)


def storage_failure(error: BaseException, directory: Path) -> StorageError | None:
    """Return what to say of a failure if a full disk is behind it, or None if it is not.

    Libraries tell of a full disk in ways of their own: by `errno`, by its name in a text, or
    (`numpy.ndarray.tofile`) by having written less than they should.
    """
    free = shutil.disk_usage(directory).free
    told = any(
        getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(cause)
        for cause in _chain(error)
    )
    # A component's own words on bad data say more than a disk that happens to be full.
    if not told and not (free < SLACK and isinstance(error, OSError)):
        return None
    written = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    return no_space(directory, "the files of this step", f"more than the {readable(written)} written are needed", free)


def no_space(directory: Path, what: str, needed: str, free: int) -> StorageError:
    """Return the error for a disk that is full, or will be."""
    return StorageError(
        f"no space on the disk of {directory} for {what}: {needed}, {readable(free)} are free",
        expected="room for what the step writes",
        remedy="make room (`job gc` lists what no run refers to), or name a root on another disk with --root",
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


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what caused it, and what caused that."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
