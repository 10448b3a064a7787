"""Appending a version: a directory becomes the newest version of a destination, whole or not at all.

It is copied beside the versions under a hidden name, flushed, and renamed once. A lock lets one process at a time do
so; what a killed one left is removed by the next.
"""

from __future__ import annotations

import errno
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.errors import ConfigError, IntegrityError, JobError, StorageError
from components.io.atomic import flush_tree, rename_durably
from components.pusher.content import MODEL, content_digest, copy_files, let_read
from components.pusher.metadata import write_rolled_back
from components.pusher.versions import Version, next_number, read_version
from components.runtime.disk import disk_space_guard
from components.runtime.locks import acquire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from components.base.progress import Progress
    from components.base.termination import Termination

STAGING = ".staging-"
LOCK = ".lock"
FOR_A_PERSON = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT)
"""What stays as it is until somebody does something about it; another refusal may be over when it is tried again."""


@contextmanager
def working_on(
    destination: Path, needed: int, progress: Progress, termination: Termination, *, holder: str
) -> Iterator[None]:
    """Be the only one at work on a destination, with what earlier ones left half-made removed.

    Args:
        destination: the folder of the versions; made if it is not there.
        needed: about how many bytes are to be written.
        progress: told if another process is at work there.
        termination: asked while waiting for it.
        holder: what those who wait are told.

    Raises:
        ConfigError: if it cannot be used.
        JobError: if it could not this time.
        StorageError: if there is no space for what is written.
        TerminationError: if the job was asked to end while it waited.
    """

    def waiting(who: str) -> None:
        progress.message(f"waiting: {who} is at work on {destination}")

    with translate_os_errors(destination):
        try:
            with disk_space_guard(destination, needed, "the model that is published"):
                destination.mkdir(parents=True, exist_ok=True)
                with acquire(destination / LOCK, owner=holder, on_wait=waiting, check=termination.check):
                    _clear(destination)
                    yield
        except StorageError as error:
            remedy = "make room there, or name another folder to push to"
            raise StorageError(error.headline, expected="room for one more version", remedy=remedy) from error


def append(
    source: Path, destination: Path, digest: str, termination: Termination, rolled_back: Sequence[str] = ()
) -> Version:
    """Copy a directory to the next number, in one step for whoever looks.

    Args:
        source: the directory of one version.
        destination: the folder of the versions, which this process is `working_on`.
        digest: of the content that is expected.
        termination: asked before each file, and last before the step.
        rolled_back: the content of the models that it takes the place of by rolling back.

    Raises:
        ConfigError: if it is no SavedModel, or there is no number left.
        IntegrityError: if its content is not of that digest.
        OSError: if it cannot be read or written.
        TerminationError: if the job was asked to end; nothing was published then.
    """
    staging = destination / f"{STAGING}{secrets.token_hex(4)}"
    try:
        copy_files(source, staging, termination.check)
        if not (staging / MODEL).is_file():
            raise no_model(source)
        if content_digest(staging) != digest:
            raise IntegrityError(
                f"{source} was changed after it was made",
                expected=f"content with the SHA-256 {digest}",
                remedy="publish another one: nothing was published",
            )
        write_rolled_back(rolled_back, staging)
        let_read(staging, destination)
        flush_tree(staging)
        number = next_number(destination)
        termination.check()
        made = destination / str(number)
        rename_durably(staging, made)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return read_version(number, made)


def no_model(directory: Path) -> ConfigError:
    """Return the error for a directory that is no SavedModel."""
    return ConfigError(
        f"{directory} has no {MODEL}: a model server cannot load it",
        expected="a SavedModel, as the Trainer writes it",
        remedy="name another version, or correct what wrote this one",
    )


@contextmanager
def translate_os_errors(destination: Path) -> Iterator[None]:
    """Turn the operating system's refusals, while versions are read or written, into an error for a user.

    Raises:
        ConfigError: for what stays so until somebody does something about it.
        JobError: for all else.
    """
    try:
        yield
    except OSError as error:
        raise refused(destination, error) from error


def refused(destination: Path, error: OSError) -> JobError:
    """Return the error for what the operating system does not allow."""
    headline = f"{error.filename or destination} cannot be used: {error.strerror or error}"
    expected = "a folder of versions that the job may read and write"
    if error.errno in FOR_A_PERSON:
        return ConfigError(headline, expected=expected, remedy="name another, or give permission")
    return JobError(headline, expected=expected, remedy="run the same command again, or see to the disk")


def _clear(destination: Path) -> None:
    for left in destination.glob(f"{STAGING}*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)
