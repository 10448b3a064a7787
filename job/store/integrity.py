"""Files against a manifest: listed and hashed when it is written, held against it when it is read."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from components.base.errors import IntegrityError, JobError
from components.base.hashing import file_sha256
from job.store.manifest import MANIFEST, REMEDY_RERUN, FileEntry, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HASHING_THREADS = 4
"""hashlib lets other threads run while it hashes; more than the disk can feed gain nothing."""


def list_files(directory: Path) -> tuple[FileEntry, ...]:
    """Return every file below a directory but the manifest, hashed, in a fixed order.

    Raises:
        JobError: if there is anything but regular files and folders.
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
    """Hold every file of a sealed artifact against its manifest.

    Raises:
        IntegrityError: for the first file that is missing, changed, no regular file, or not named there.
    """
    try:
        _verify(directory, manifest)
    except OSError as error:  # somebody removes it meanwhile
        raise IntegrityError(
            f"{error.filename} cannot be read: {error.strerror}", expected="a file of the artifact", remedy=REMEDY_RERUN
        ) from error


def _verify(directory: Path, manifest: Manifest) -> None:
    named = {directory / entry.path: entry for entry in manifest.files}
    for path, mode in _walk(directory):
        if not stat.S_ISREG(mode):
            raise IntegrityError(
                f"{path} is {'a link' if stat.S_ISLNK(mode) else 'no regular file'}",
                expected="regular files only",
                remedy=REMEDY_RERUN,
            )
        if path not in named and path != directory / MANIFEST:
            raise IntegrityError(f"{path} is not named in the manifest", expected="no other files", remedy=REMEDY_RERUN)

    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        for (path, entry), found in zip(named.items(), pool.map(_hashed, named), strict=True):
            if isinstance(found, OSError):
                raise IntegrityError(
                    f"{path} cannot be read: {found.strerror}",
                    expected=f"a file of {entry.size:,} bytes with the SHA-256 {entry.sha256}",
                    remedy=REMEDY_RERUN,
                )
            if found != entry.sha256:
                raise IntegrityError(
                    f"{path} has been changed: its SHA-256 is {found}",
                    expected=f"{entry.sha256}, of {entry.size:,} bytes",
                    remedy=REMEDY_RERUN,
                )
            if (size := path.stat().st_size) != entry.size:
                raise IntegrityError(
                    f"{directory / MANIFEST} has been changed: it says that {entry.path} has {entry.size:,} bytes",
                    expected=f"{size:,} bytes",
                    remedy=REMEDY_RERUN,
                )


def _hashed(path: Path) -> str | OSError:
    try:
        return file_sha256(path)
    except OSError as error:
        return error


def _walk(directory: Path) -> Iterator[tuple[Path, int]]:
    """Yield all below a directory but folders, in a fixed order, with its mode; links are not followed."""
    for path in sorted(directory.rglob("*")):
        if not stat.S_ISDIR(mode := path.lstat().st_mode):
            yield path, mode
