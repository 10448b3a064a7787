"""Version store: adds a directory to a destination as its newest version, completely or not at all.

A version is copied to a hidden name in the destination, flushed, and renamed once. A lock admits one process at a
time. The next process deletes the files of one that was killed.
"""

import errno
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from components.base.errors import ConfigError, IntegrityError, JobError
from components.base.progress import Progress
from components.base.termination import Termination
from components.io.atomic import flush_tree, rename_durably
from components.pusher.metadata import write_rolled_back
from components.pusher.servable import SAVED_MODEL_FILE, copy_files, copy_read_permissions, servable_digest
from components.pusher.versions import Version, next_number, read_version
from components.runtime.disk import disk_space_guard
from components.runtime.locks import acquire

STAGING_PREFIX = ".staging-"
PERMANENT_ERRNOS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT)
"""These errors last until a person acts; others may be gone at the next attempt."""


@contextmanager
def locked_destination(
    destination: Path, needed: int, progress: Progress, termination: Termination, *, owner: str
) -> Iterator[None]:
    """Create and lock a destination for the block, and delete what killed processes left there.

    `needed` is the approximate number of bytes that the block writes, and `owner` describes this process to others.
    """
    remedy = "free space there, or push to another folder"
    space_guard = disk_space_guard(destination, needed, "the model that is published", remedy=remedy)
    with translate_os_errors(destination), space_guard:
        destination.mkdir(parents=True, exist_ok=True)
        with acquire(
            destination / ".lock",
            owner=owner,
            on_wait=lambda current: progress.message(f"waiting: {current} is at work on {destination}"),
            check=termination.check,
        ) as held:
            _delete_staging(destination)
            try:
                yield
            except OSError as error:
                if not held.is_lost():
                    raise
                problem = f"another process took the lock of {destination}, and deleted what this one was copying"
                remedy = "run the same command again"
                raise JobError(problem, expected="one process at a time", remedy=remedy) from error


def append_version(
    source: Path, destination: Path, digest: str, termination: Termination, rolled_back: Sequence[str] = ()
) -> Version:
    """Copy a directory to the next version number of a locked destination. The version appears in one step.

    Termination is checked before each file, and immediately before the version appears. In a rollback, `rolled_back`
    are the content digests of the models that the version replaces.
    """
    staging = destination / f"{STAGING_PREFIX}{secrets.token_hex(4)}"
    try:
        copy_files(source, staging, termination.check)
        if not (staging / SAVED_MODEL_FILE).is_file():
            raise no_saved_model(source)
        if servable_digest(staging) != digest:
            raise IntegrityError(
                f"{source} was changed after it was made",
                expected=f"content with the SHA-256 {digest}",
                remedy="publish another version: nothing was published",
            )
        write_rolled_back(rolled_back, staging)
        copy_read_permissions(staging, like=destination)
        flush_tree(staging)
        number = next_number(destination)
        termination.check()
        rename_durably(staging, destination / str(number))
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return read_version(number, destination / str(number))


@contextmanager
def translate_os_errors(path: Path) -> Iterator[None]:
    """Raise ConfigError for an OSError that lasts until a person acts, and JobError for one that may be temporary."""
    try:
        yield
    except OSError as error:
        kind, remedy = JobError, "run the same command again, or check the disk"
        if error.errno in PERMANENT_ERRNOS:
            kind, remedy = ConfigError, "name another folder, or give permission"
        headline = f"{error.filename or path} cannot be used: {error.strerror or error}"
        raise kind(headline, expected="a folder of versions that the job may read and write", remedy=remedy) from error


def no_saved_model(directory: Path) -> ConfigError:
    return ConfigError(
        f"{directory} has no {SAVED_MODEL_FILE}: a model server cannot load it",
        expected="a SavedModel, as the Trainer writes it",
        remedy="choose another version, or correct the trainer that wrote this one",
    )


def _delete_staging(destination: Path) -> None:
    for path in destination.glob(f"{STAGING_PREFIX}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
