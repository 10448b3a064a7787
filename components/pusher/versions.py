"""The versions below a destination: which there are, which is served, and to which one would go back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from components.base.errors import ConfigError
from components.pusher.content import MODEL, content_digest
from components.pusher.metadata import read_statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from components.artifacts import Servable

NUMBER = re.compile(r"\s*\+?\d+\s*", re.ASCII)
LARGEST = 2**63 - 1
"""Of the numbers that TensorFlow Serving reads."""


@dataclass(frozen=True)
class Version:
    """One numbered directory; it is never changed once it is there.

    Attributes:
        number: its name.
        directory: where it is.
        servable: what it says that it is; None for one that was not pushed by this job.
        refusal: why not even that can be known; None if it can.
    """

    number: int
    directory: Path
    servable: Servable | None
    refusal: OSError | None = None

    @cached_property
    def content(self) -> str | OSError:
        """The digest of its files as they are now, or why they cannot be read."""
        try:
            return content_digest(self.directory)
        except OSError as error:
            return error

    @property
    def digest(self) -> str:
        """Tells its content from that of others: as it states it, else found from its files.

        One that cannot be read is like no other.
        """
        if self.servable is not None:
            return self.servable.content_sha256
        return f"unknown, of version {self.number}" if self.unreadable else str(self.content)

    @property
    def unreadable(self) -> OSError | None:
        """Why it cannot be read; None if it can."""
        return self.refusal or (self.content if isinstance(self.content, OSError) else None)

    @property
    def is_model(self) -> bool:
        """Whether TensorFlow would take it for a SavedModel, as far as that can be seen."""
        return self.refusal is not None or (self.directory / MODEL).is_file()

    @property
    def damage(self) -> str:
        """What keeps it from being served as it was published, as the end of a sentence; empty if nothing is known."""
        if self.unreadable is not None:
            return f"cannot be read ({self.unreadable.strerror or self.unreadable})"
        if not self.is_model:
            return f"has no {MODEL}"
        changed = self.servable is not None and self.content != self.servable.content_sha256
        return "was changed after it was published" if changed else ""

    @property
    def published(self) -> datetime:
        """When it was published: since then nothing came into its directory."""
        return datetime.fromtimestamp(self.directory.stat().st_mtime, UTC).replace(microsecond=0)


def read_version(number: int, directory: Path) -> Version:
    """Return a version, also one that cannot be read."""
    try:
        return Version(number, directory, read_statement(directory))
    except OSError as error:
        return Version(number, directory, None, refusal=error)


def list_versions(destination: Path) -> list[Version]:
    """Return the versions below a destination, the newest, which is served by default, last; none if it is not there.

    Raises:
        OSError: if it cannot be read.
    """
    if not destination.is_dir():
        return []
    numbered = ((number_of(path.name), path) for path in destination.iterdir())
    found = [read_version(number, path) for number, path in numbered if number is not None and path.is_dir()]
    return sorted(found, key=lambda version: version.number)


def number_of(name: str) -> int | None:
    """Return the number that a model server reads from the name of a version; None if that is no version.

    >>> number_of("3"), number_of("00000123"), number_of(".staging-3"), number_of("3.old")
    (3, 123, None, None)
    """
    return int(name) if NUMBER.fullmatch(name) and int(name) <= LARGEST else None


def next_number(destination: Path) -> int:
    """Return the number of the next version: above all that a model server could take for one, files too.

    Raises:
        ConfigError: if there is none above.
    """
    highest = max((number_of(path.name) or 0 for path in destination.iterdir()), default=0)
    if highest == LARGEST:
        raise ConfigError(
            f"{destination} has the version {highest}, the largest that there can be",
            expected="a number above it for the next version",
            remedy=f"remove {destination / str(highest)}, or push to another folder",
        )
    return highest + 1


def in_use(versions: Sequence[Version]) -> list[Version]:
    """Return the versions that one would go back through, the one that is served last.

    Each push goes on top. A version whose content is there already takes one back to it: what was pushed in between
    was rolled back from, and is not gone back to by itself again. What is no SavedModel was never in use.
    """
    kept: list[Version] = []
    for version in versions:
        if not version.is_model:
            continue
        digests = [before.digest for before in kept]
        if version.digest in digests:
            del kept[digests.index(version.digest) :]
        kept.append(version)
    return kept


@dataclass(frozen=True)
class Listed:
    """A version among the others of its destination.

    Attributes:
        version: it.
        served: whether a model server serves it by default.
        copy_of: the number of the oldest version with the same content; None if that is itself.
    """

    version: Version
    served: bool
    copy_of: int | None


def listing(versions: Sequence[Version]) -> list[Listed]:
    """Return what each version of a destination is among the others, the newest, which is served, first."""
    oldest: dict[str, int] = {}
    for version in versions:
        oldest.setdefault(version.digest, version.number)
    return [
        Listed(
            version,
            served=version is versions[-1],
            copy_of=oldest[version.digest] if oldest[version.digest] != version.number else None,
        )
        for version in reversed(versions)
    ]
