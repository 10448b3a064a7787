"""Size and age of a file or folder."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """The size and age of a file, or of a folder with everything in it."""

    size: int
    """In bytes."""
    age: float
    """Seconds since it was last modified."""


def measure(path: Path) -> Measured | None:
    """Return size and age of a file or folder, or None if it was deleted meanwhile."""
    # os.walk skips what disappears: a process at work deletes files that it no longer needs.
    folders = () if path.is_symlink() else os.walk(path)  # it would follow a link at its top
    files = [path, *(Path(folder, name) for folder, *names in folders for name in chain(*names))]
    size, newest = 0, 0.0
    for file in files:
        with suppress(FileNotFoundError):
            status = file.lstat()
            size, newest = size + status.st_size, max(newest, status.st_mtime)
    return Measured(size, max(0.0, time.time() - newest)) if newest else None
