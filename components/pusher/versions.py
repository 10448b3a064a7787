"""Versions below a destination: read, list, number and describe them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from components.artifacts import PublishedVersion, Servable
from components.base.errors import ConfigError, IntegrityError
from components.pusher.metadata import STATEMENT_FILE, read_statement
from components.pusher.servable import SAVED_MODEL_FILE, servable_digest

VERSION_NAME = re.compile(r"\s*\+?\d+\s*", re.ASCII)
LARGEST_VERSION = 2**63 - 1
"""TensorFlow Serving reads version numbers as int64."""


@dataclass(frozen=True)
class Version:
    """One numbered directory. It never changes after it was published."""

    number: int
    directory: Path
    servable: Servable | None
    """Its statement; None for a version that this job did not publish, and if the statement cannot be read."""
    statement_error: OSError | IntegrityError | None = None
    """Why the statement cannot be read; None if it can."""

    @cached_property
    def content(self) -> str | OSError:
        """The digest of its files as they are now, or why they cannot be read."""
        try:
            return servable_digest(self.directory)
        except OSError as error:
            return error

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
        return self.statement_error is not None or (self.directory / SAVED_MODEL_FILE).is_file()

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

    @property
    def published(self) -> datetime:
        """When it was published: the last time that an entry was added to its directory."""
        return datetime.fromtimestamp(self.directory.stat().st_mtime, UTC).replace(microsecond=0)


def read_version(number: int, directory: Path) -> Version:
    """Return a version, also one that cannot be read."""
    try:
        return Version(number, directory, read_statement(directory))
    except (OSError, IntegrityError) as error:
        return Version(number, directory, None, statement_error=error)


def list_versions(destination: Path) -> list[Version]:
    """Return the versions below a destination, the newest, which is served by default, last."""
    if not destination.is_dir():
        return []
    numbered = ((version_number(path.name), path) for path in destination.iterdir())
    versions = [read_version(number, path) for number, path in numbered if number is not None and path.is_dir()]
    return sorted(versions, key=lambda version: version.number)


def version_number(name: str) -> int | None:
    """Return the number that a model server reads from a directory's name; None if it is not a version.

    >>> version_number("3"), version_number("00000123"), version_number(".staging-3"), version_number("3.old")
    (3, 123, None, None)
    """
    return int(name) if VERSION_NAME.fullmatch(name) and int(name) <= LARGEST_VERSION else None


def next_number(destination: Path) -> int:
    """Return the number of the next version: above every name, also of files, that a model server reads as a number."""
    highest = max((version_number(path.name) or 0 for path in destination.iterdir()), default=0)
    if highest == LARGEST_VERSION:
        raise ConfigError(
            f"{destination} has the version {highest}, the largest possible number",
            expected="a higher number for the next version",
            remedy=f"remove {destination / str(highest)}, or push to another folder",
        )
    return highest + 1


def describe_version(version: Version, versions: Sequence[Version]) -> PublishedVersion:
    """Return a version compared with all versions of its destination, which are in ascending order."""
    oldest = next(other.number for other in versions if other.digest == version.digest)
    return PublishedVersion(
        number=version.number,
        directory=version.directory,
        published=version.published,
        servable=version.servable,
        content_sha256=None if version.read_error else version.digest,
        damage=version.damage,
        served=version is versions[-1],
        copy_of=None if oldest == version.number else oldest,
    )
