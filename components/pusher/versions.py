"""Versions at a destination: their state, their numbers, and how they are described."""

import errno
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from components.artifacts import PublishedVersion, Servable
from components.base.errors import ConfigError, IntegrityError, JobError
from components.object_storage.location import Location, path_or_text
from components.pusher.metadata import STATEMENT_FILE
from components.pusher.servable import SAVED_MODEL_FILE

VERSION_NAME = re.compile(r"\s*\+?\d+\s*", re.ASCII)
LARGEST_VERSION = 2**63 - 1
"""TensorFlow Serving reads version numbers as int64."""
PERMANENT_ERRNOS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT)
"""These errors last until a person acts; others may be gone at the next attempt."""
INCOMPLETE = "is not complete: a push is in progress, or was killed and the next one completes it"


@dataclass(frozen=True)
class Version(ABC):
    """One numbered directory. It never changes after it was published."""

    number: int
    directory: Location
    servable: Servable | None
    """Its statement; None for a version that this job did not publish, and if the statement cannot be read."""
    statement_error: OSError | IntegrityError | None
    """Why the statement cannot be read; None if it can."""

    @property
    @abstractmethod
    def content(self) -> str | OSError:
        """The digest of its files as they are now, or why they cannot be read."""

    @property
    @abstractmethod
    def has_saved_model(self) -> bool:
        """Whether it has the main file of a SavedModel."""

    @property
    @abstractmethod
    def published(self) -> datetime:
        """When it was published, to the second."""

    @property
    @abstractmethod
    def size(self) -> int:
        """The size of all its files, in bytes."""

    @property
    def is_publishing(self) -> bool:
        """Whether a push has yet to add some of its files; then all else describes the complete version."""
        return False

    @abstractmethod
    def rolled_back(self) -> tuple[str, ...]:
        """Return the content digests of the models that it was rolled back from (errors: see `read_statement`)."""

    @abstractmethod
    def files(self) -> AbstractContextManager[Path]:
        """Return a context manager within which its files are in a local directory."""

    @property
    def content_sha256(self) -> str | None:
        """The stated digest of its content, else that of its files; None if they cannot be read."""
        if self.servable is not None:
            return self.servable.content_sha256
        return self.content if isinstance(self.content, str) else None

    @property
    def digest(self) -> str:
        """Identifies its content: `content_sha256`, or a value that equals no other."""
        return self.content_sha256 or f"unknown, of version {self.number}"

    @property
    def read_error(self) -> OSError | IntegrityError | None:
        """Why it cannot be read; None if it can."""
        return self.statement_error or (self.content if isinstance(self.content, OSError) else None)

    @property
    def is_model(self) -> bool:
        """Whether it may be a SavedModel: it has the file, or cannot be read."""
        return self.statement_error is not None or self.has_saved_model

    @property
    def damage(self) -> str:
        """Why it cannot be served as it was published, as the end of a sentence; empty if nothing is wrong."""
        if isinstance(self.read_error, IntegrityError):
            return f"has a damaged {STATEMENT_FILE}"
        if self.read_error is not None:
            return f"cannot be read ({self.read_error.strerror or self.read_error})"
        if not self.is_model:
            return f"has no {SAVED_MODEL_FILE}"
        changed = self.servable is not None and self.content != self.servable.content_sha256
        return "was changed after it was published" if changed else ""


@dataclass(frozen=True)
class VersionList:
    """The versions at a destination, at one moment."""

    location: Location
    versions: tuple[Version, ...]
    """The newest, which is served by default, last."""
    highest: int
    """The largest number in use, also by names of files, which a model server reads as numbers; 0 if there is none."""
    exists: bool
    """Whether the destination exists."""

    @property
    def next_number(self) -> int:
        """The number of the next version."""
        if self.highest == LARGEST_VERSION:
            raise ConfigError(
                f"{self.location} has the version {self.highest}, the largest possible number",
                expected="a higher number for the next version",
                remedy=f"remove {self.location / str(self.highest)}, or push to another folder",
            )
        return self.highest + 1


def version_number(name: str) -> int | None:
    """Return the number that a model server reads from a directory's name; None if it is not a version.

    >>> version_number("3"), version_number("00000123"), version_number(".staging-3"), version_number("3.old")
    (3, 123, None, None)
    """
    return int(name) if VERSION_NAME.fullmatch(name) and int(name) <= LARGEST_VERSION else None


def describe_version(version: Version, versions: Sequence[Version]) -> PublishedVersion:
    """Return a version compared with all versions of its destination, which are in ascending order."""
    oldest = next(other.number for other in versions if other.digest == version.digest)
    return PublishedVersion(
        number=version.number,
        directory=path_or_text(version.directory),
        published=version.published,
        servable=version.servable,
        content_sha256=None if version.read_error else version.digest,
        damage=INCOMPLETE if version.is_publishing else version.damage,
        served=version is versions[-1],
        copy_of=None if oldest == version.number else oldest,
    )


@contextmanager
def translate_os_errors(location: Location) -> Iterator[None]:
    """Raise ConfigError for an OSError that lasts until a person acts, and JobError for one that may be temporary."""
    try:
        yield
    except OSError as error:
        kind, remedy = JobError, "run the same command again, or check the disk"
        if error.errno in PERMANENT_ERRNOS:
            kind, remedy = ConfigError, "name another folder, or give permission"
        headline = f"{error.filename or location} cannot be used: {error.strerror or error}"
        raise kind(headline, expected="a folder of versions that the job may read and write", remedy=remedy) from error


def no_saved_model(directory: Location) -> ConfigError:
    """Return the error for a directory that is not a SavedModel."""
    return ConfigError(
        f"{directory} has no {SAVED_MODEL_FILE}: a model server cannot load it",
        expected="a SavedModel, as the Trainer writes it",
        remedy="choose another version, or correct the trainer that wrote this one",
    )


def changed_servable(directory: Location, digest: str) -> IntegrityError:
    """Return the error for a servable whose content is not the stated one."""
    return IntegrityError(
        f"{directory} was changed after it was made",
        expected=f"content with the SHA-256 {digest}",
        remedy="publish another version: nothing was published",
    )
