"""Versions in a local folder: a version is copied to a hidden name, flushed to the disk, and renamed once.

A lock admits one process at a time. The next process deletes the files of one that was killed.
"""

import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from components.base.errors import IntegrityError, JobError
from components.base.progress import Progress
from components.base.termination import Termination
from components.io.atomic import flush_tree, rename_durably
from components.pusher.destination import check_destination
from components.pusher.metadata import read_rolled_back, read_statement, write_rolled_back
from components.pusher.servable import (
    SAVED_MODEL_FILE,
    copy_files,
    copy_read_permissions,
    servable_digest,
    servable_size,
)
from components.pusher.versions import (
    Version,
    VersionList,
    changed_servable,
    no_saved_model,
    translate_os_errors,
    version_number,
)
from components.runtime.disk import disk_space_guard
from components.runtime.locks import acquire

STAGING_PREFIX = ".staging-"


@dataclass(frozen=True)
class LocalVersion(Version):
    """A version in a local folder."""

    directory: Path

    @cached_property
    def content(self) -> str | OSError:
        try:
            return servable_digest(self.directory)
        except OSError as error:
            return error

    @property
    def has_saved_model(self) -> bool:
        return (self.directory / SAVED_MODEL_FILE).is_file()

    @property
    def published(self) -> datetime:
        # The last time that an entry was added to its directory.
        return datetime.fromtimestamp(self.directory.stat().st_mtime, UTC).replace(microsecond=0)

    @property
    def size(self) -> int:
        return servable_size(self.directory)

    def rolled_back(self) -> tuple[str, ...]:
        return read_rolled_back(self.directory)

    def files(self) -> AbstractContextManager[Path]:
        return nullcontext(self.directory)


@dataclass(frozen=True)
class LocalVersionStore:
    """The versions in a local folder."""

    destination: Path

    def check(self) -> None:
        check_destination(self.destination)

    def read(self) -> VersionList:
        with translate_os_errors(self.destination):
            if not self.destination.is_dir():
                return VersionList(self.destination, (), 0, exists=False)
            numbered = [(version_number(path.name), path) for path in self.destination.iterdir()]
            versions = [
                _read_version(number, path) for number, path in numbered if number is not None and path.is_dir()
            ]
        highest = max((number or 0 for number, _ in numbered), default=0)
        return VersionList(
            self.destination, tuple(sorted(versions, key=lambda version: version.number)), highest, exists=True
        )

    @contextmanager
    def locked(self, needed: int, progress: Progress, termination: Termination, *, owner: str) -> Iterator[None]:
        remedy = "free space there, or push to another folder"
        space_guard = disk_space_guard(self.destination, needed, "the model that is published", remedy=remedy)
        with translate_os_errors(self.destination), space_guard:
            self.destination.mkdir(parents=True, exist_ok=True)
            with acquire(
                self.destination / ".lock",
                owner=owner,
                on_wait=lambda current: progress.message(f"waiting: {current} is at work on {self.destination}"),
                check=termination.check,
            ) as held:
                try:
                    yield
                except OSError as error:
                    if not held.is_lost():
                        raise
                    problem = f"another process took the lock of {self.destination}, and deleted what this one copied"
                    remedy = "run the same command again"
                    raise JobError(problem, expected="one process at a time", remedy=remedy) from error

    def recover(self) -> VersionList:
        for path in self.destination.glob(f"{STAGING_PREFIX}*"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return self.read()

    def append(
        self, source: Path, digest: str, number: int, termination: Termination, rolled_back: Sequence[str] = ()
    ) -> Version:
        staging = self.destination / f"{STAGING_PREFIX}{secrets.token_hex(4)}"
        try:
            copy_files(source, staging, termination.check)
            if not (staging / SAVED_MODEL_FILE).is_file():
                raise no_saved_model(source)
            if servable_digest(staging) != digest:
                raise changed_servable(source, digest)
            write_rolled_back(rolled_back, staging)
            copy_read_permissions(staging, like=self.destination)
            flush_tree(staging)
            termination.check()
            rename_durably(staging, self.destination / str(number))
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return _read_version(number, self.destination / str(number))


def _read_version(number: int, directory: Path) -> Version:
    """Return a version, also one that cannot be read."""
    try:
        return LocalVersion(number, directory, read_statement(directory), None)
    except (OSError, IntegrityError) as error:
        return LocalVersion(number, directory, None, error)
