"""Version store: reads the versions at a destination, and adds one as the newest, completely or not at all."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from components.base.progress import Progress
from components.base.termination import Termination
from components.object_storage.location import Location
from components.object_storage.url import ObjectUrl
from components.pusher.versions import Version, VersionList


class VersionStore(Protocol):
    """The versions at one destination."""

    def check(self) -> None:
        """Raise ConfigError if versions cannot be added to the destination, before a run starts."""

    def read(self) -> VersionList:
        """Return the versions. Writes nothing."""

    def locked(
        self, needed: int, progress: Progress, termination: Termination, *, owner: str
    ) -> AbstractContextManager[None]:
        """Return a context manager within which `recover` and `append` may be called.

        `needed` is the approximate number of bytes that the block writes, and `owner` describes this process to others.
        """

    def recover(self) -> VersionList:
        """Complete or delete the versions of killed processes, and return all versions."""

    def append(
        self, source: Path, digest: str, number: int, termination: Termination, rolled_back: Sequence[str] = ()
    ) -> Version | None:
        """Add a directory as a version; return None if another process has added a version with this number.

        `digest` is that of its content, and `number` the next number of the versions that `recover` returned.
        Termination is checked while files are copied, and immediately before the version appears. In a rollback,
        `rolled_back` are the content digests of the models that the version replaces.
        """


def open_version_store(destination: Location) -> VersionStore:
    """Return the version store of a destination."""
    if isinstance(destination, ObjectUrl):
        from components.pusher.object_versions import ObjectVersionStore

        return ObjectVersionStore(destination)
    from components.pusher.local_versions import LocalVersionStore

    return LocalVersionStore(destination)


def list_versions(destination: Location) -> tuple[Version, ...]:
    """Return the versions at a destination, the newest, which is served by default, last."""
    return open_version_store(destination).read().versions
