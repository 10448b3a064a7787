"""The versions below a destination: which there are, which is served, and to which one would go back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from components.errors import ConfigError
from components.serving.content import content_digest, read_statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from components.artifacts import Servable

NUMBER = re.compile(r"\d{1,19}", re.ASCII)
LARGEST = 2**63 - 1
"""Of the numbers that TensorFlow Serving reads."""


@dataclass(frozen=True)
class Version:
    """One numbered directory; it is never changed once it is there.

    Attributes:
        number: its name.
        directory: where it is.
        servable: what it says that it is; None for one that was not pushed by this job.
    """

    number: int
    directory: Path
    servable: Servable | None

    @cached_property
    def digest(self) -> str:
        """Tells its content from that of others: as it states it, else found from its files."""
        return content_digest(self.directory) if self.servable is None else self.servable.content_sha256

    @property
    def is_whole(self) -> bool:
        """Whether its files are still those that it was published with, as far as it states them."""
        return self.servable is None or content_digest(self.directory) == self.servable.content_sha256

    @property
    def published(self) -> datetime:
        """When it was published: since then nothing came into its directory."""
        return datetime.fromtimestamp(self.directory.stat().st_mtime, UTC).replace(microsecond=0)


def list_versions(destination: Path) -> list[Version]:
    """Return the versions below a destination, the newest, which is served by default, last; none if it is not there.

    Raises:
        OSError: if it cannot be read.
    """
    if not destination.is_dir():
        return []
    folders = [path for path in destination.iterdir() if number_of(path.name) is not None and path.is_dir()]
    return sorted(
        (Version(int(path.name), path, read_statement(path)) for path in folders),
        key=lambda version: version.number,
    )


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
    was rolled back from, and is not gone back to by itself again.
    """
    kept: list[Version] = []
    for version in versions:
        digests = [before.digest for before in kept]
        if version.digest in digests:
            del kept[digests.index(version.digest) :]
        kept.append(version)
    return kept


def first_of_its_content(version: Version, versions: Sequence[Version]) -> Version:
    """Return the oldest version with the content of one: itself, or the one that it is a copy of."""
    return next(older for older in versions if older.digest == version.digest)
