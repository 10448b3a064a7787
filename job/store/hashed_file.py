"""Hashed file: the SHA-256 of a file, and the status that shows whether the file has changed since."""

import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from components.base.hashing import file_sha256

HASHING_THREADS = 4
"""hashlib releases the interpreter lock; more threads than the disk can feed gain nothing."""
CLOCK_STEP_NS = 20_000_000
"""At least the step of the kernel's clock (1 to 10 ms), with which files are stamped: a change within the step in which
a file was written before does not change its status."""


class FileStatus(NamedTuple):
    """What every change of a file's content changes, if it is not within one step of the clock."""

    device: int
    inode: int
    size: int
    """In bytes."""
    modified_ns: int
    changed_ns: int
    """Time of the last change of content or status; unlike `modified_ns`, no program can set it."""


@dataclass(frozen=True)
class HashedFile:
    """The SHA-256 of a file, and its status immediately before it was hashed.

    A change through a memory map that was written to before the file was hashed is not detected, because the kernel
    stamps the file only at the first write. The same holds for a disk that returns other bytes.
    """

    sha256: str
    status: FileStatus
    settled: bool
    """Whether the file was older than a step of the clock: only then does every later change show in its status."""

    @classmethod
    def hash(cls, path: Path, known: Self | None = None) -> Self:
        """Hash a file; if it is the `known` file and has not changed since, return that instead.

        A status takes 2 µs, a hash 20 µs and a second per GB or two.
        """
        now, found = time.time_ns(), path.stat()
        status = FileStatus(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if known is not None and known.settled and known.status == status:
            return known
        settled = now - max(status.modified_ns, status.changed_ns) > CLOCK_STEP_NS
        return cls(file_sha256(path), status, settled)


def hash_each(
    directory: Path, names: Iterable[str], known: Mapping[str, HashedFile]
) -> Iterator[tuple[str, HashedFile | OSError]]:
    """Yield each name with its file in the directory (see `HashedFile.hash`), or why that cannot be read."""

    def hash_file(name: str) -> tuple[str, HashedFile | OSError]:
        try:
            return name, HashedFile.hash(directory / name, known.get(name))
        except OSError as error:
            return name, error

    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        yield from pool.map(hash_file, names)


def walk(directory: Path) -> Iterator[tuple[Path, int]]:
    """Yield everything below a directory except folders, sorted, with its mode; links are not followed.

    Raises:
        OSError: if a folder cannot be read; `Path.rglob` would skip its files.
    """
    paths = (
        Path(folder, name)
        for folder, folders, names in os.walk(directory, onerror=_raise)
        for name in (*folders, *names)
    )
    for path in sorted(paths):
        if not stat.S_ISDIR(mode := path.lstat().st_mode):
            yield path, mode


def _raise(error: OSError) -> None:
    raise error
