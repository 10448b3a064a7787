"""Integrity: the files of an artifact are listed and hashed when it is sealed, and verified when it is read."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from components.base.errors import IntegrityError, JobError
from components.base.hashing import file_sha256
from job.store.manifest import MANIFEST, REMEDY_RERUN, FileEntry, Manifest

HASHING_THREADS = 4
"""hashlib releases the interpreter lock; more threads than the disk can feed gain nothing."""


def list_files(directory: Path) -> tuple[FileEntry, ...]:
    """Return every file below a directory except the manifest, with its size and digest, sorted by path.

    Raises:
        JobError: if there is anything except regular files and folders.
    """
    paths = []
    for path, mode in _walk(directory):
        if not stat.S_ISREG(mode):
            raise JobError(
                f"{path} is neither a regular file nor a folder",
                expected="an artifact of regular files",
                remedy="correct the component that wrote it",
            )
        if path != directory / MANIFEST:
            paths.append(path)
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        digests = pool.map(file_sha256, paths)
        return tuple(
            FileEntry(path=path.relative_to(directory).as_posix(), size=path.stat().st_size, sha256=digest)
            for path, digest in zip(paths, digests, strict=True)
        )


def verify(directory: Path, manifest: Manifest) -> None:
    """Check every file of a sealed artifact against its manifest.

    Raises:
        IntegrityError: for the first file that is missing, changed, not a regular file, or not in the manifest.
    """
    try:
        _verify(directory, manifest)
    except OSError as error:  # another process deletes it meanwhile
        raise _unreadable(error.filename, error, "a file of the artifact") from error


def _verify(directory: Path, manifest: Manifest) -> None:
    entries = {directory / entry.path: entry for entry in manifest.files}
    for path, mode in _walk(directory):
        if not stat.S_ISREG(mode):
            found = "a link" if stat.S_ISLNK(mode) else "not a regular file"
            raise IntegrityError(f"{path} is {found}", expected="regular files only", remedy=REMEDY_RERUN)
        if path not in entries and path != directory / MANIFEST:
            raise IntegrityError(f"{path} is not in the manifest", expected="no other files", remedy=REMEDY_RERUN)
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        for (path, entry), digest in zip(entries.items(), pool.map(_try_sha256, entries), strict=True):
            if isinstance(digest, OSError):
                expected = f"a file of {entry.size:,} bytes with the SHA-256 {entry.sha256}"
                raise _unreadable(path, digest, expected)
            if digest != entry.sha256:
                raise IntegrityError(
                    f"{path} has been changed: its SHA-256 is {digest}",
                    expected=f"{entry.sha256}, of {entry.size:,} bytes",
                    remedy=REMEDY_RERUN,
                )
            if (size := path.stat().st_size) != entry.size:
                raise IntegrityError(
                    f"{directory / MANIFEST} has been changed: it states {entry.size:,} bytes for {entry.path}",
                    expected=f"{size:,} bytes",
                    remedy=REMEDY_RERUN,
                )


def _unreadable(path: object, error: OSError, expected: str) -> IntegrityError:
    return IntegrityError(f"{path} cannot be read: {error.strerror}", expected=expected, remedy=REMEDY_RERUN)


def _try_sha256(path: Path) -> str | OSError:
    try:
        return file_sha256(path)
    except OSError as error:
        return error


def _walk(directory: Path) -> Iterator[tuple[Path, int]]:
    """Yield everything below a directory except folders, sorted, with its mode; links are not followed."""
    for path in sorted(directory.rglob("*")):
        if not stat.S_ISDIR(mode := path.lstat().st_mode):
            yield path, mode
