"""Publishing: a servable becomes the next version of a destination, whole or not at all.

It is copied beside the versions under a hidden name, flushed, and renamed once. A lock lets one process at a time do
so; what a killed one left is removed by the next.
"""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import ConfigError, IntegrityError, StorageError
from components.progress import NoProgress, Progress
from components.runtime.disk import existing, flush, room_for
from components.runtime.locks import hold
from components.serving.content import content_digest, copy_files, list_files, read_statement, size_of
from components.serving.versions import Version, in_use, list_versions, next_number

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGING = ".staging-"
LOCK = ".lock"


@dataclass(frozen=True)
class Published:
    """What came of publishing.

    Attributes:
        version: the one that has the content now.
        new: whether it was made, or was there already.
        served: the newest one, which a model server serves by default.
    """

    version: Version
    new: bool
    served: Version


def publish(servable: Path, destination: Path, *, digest: str, progress: Progress | None = None) -> Published:
    """Make a servable the newest version of a destination, unless one of its versions has the same content.

    Args:
        servable: the directory of one version.
        destination: the folder of the versions; made if it is not there.
        digest: of the servable's content.
        progress: told if another process is at work there, and of a version that was changed.

    Raises:
        ConfigError: if the destination cannot be written to.
        IntegrityError: if the servable is not of that digest.
        StorageError: if there is no space for it.
    """
    progress = progress or NoProgress()
    with _working_on(destination, size_of(servable), progress):
        versions = list_versions(destination)
        for version in reversed(versions):
            if version.digest == digest:
                if version.is_whole:
                    return Published(version, new=False, served=versions[-1])
                progress.warning(f"{version.directory} was changed after it was published; the model is pushed anew")
        made = _append(servable, destination, digest)
        return Published(made, new=True, served=made)


@dataclass(frozen=True)
class RolledBack:
    """What came of rolling back.

    Attributes:
        version: the newest one now.
        to: the one that it is a copy of.
        before: the one that was served before.
    """

    version: Version
    to: Version
    before: Version


def roll_back(destination: Path, to: int | None = None) -> RolledBack:
    """Publish the content of an older version anew, as the newest: nothing is deleted, and a server never without one.

    Args:
        destination: the folder of the versions.
        to: the number of a version; by default the one that was in use before what is served now (see `in_use`).

    Raises:
        ConfigError: if there is no such destination or version, or nothing to go back to.
        IntegrityError: if the version was changed after it was published.
        StorageError: if there is no space for its copy.
    """
    require_versions(destination)  # before a lock is laid into what may be no destination
    with _working_on(destination, None, NoProgress()):
        versions = require_versions(destination)
        newest = versions[-1]
        target = _before(versions) if to is None else _numbered(to, versions, destination)
        if target.digest == newest.digest and newest.is_whole:
            copy = "" if target.number == newest.number else f": version {newest.number} is a copy of it"
            raise ConfigError(
                f"version {target.number} is served already{copy}",
                expected="a version with another model",
                remedy=f"`python -m job versions {destination}` lists them",
            )
        return RolledBack(_append(target.directory, destination, target.digest), to=target, before=newest)


def require_versions(destination: Path) -> list[Version]:
    """Return the versions below a destination, the newest last; at least one.

    Raises:
        ConfigError: if there is no such folder, or none in it.
    """
    try:
        versions = list_versions(destination)
    except OSError as error:
        raise _refused(destination, error) from error
    if not versions:
        raise ConfigError(
            f"{destination} has no versions" if destination.is_dir() else f"there is no folder {destination}",
            expected="a folder that models were pushed to, with a directory 1, 2, ... for each",
            remedy="name the pusher.destination of the configuration",
        )
    return versions


def check_destination(destination: Path) -> None:
    """See that models can be pushed to a folder, without making it.

    Raises:
        ConfigError: if it, or the nearest of its parents that is there, is no folder, or cannot be written to.
    """
    there = existing(destination)
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return
    which = "it" if there == destination.absolute() else there
    raise ConfigError(
        f"cannot push to {destination}: {which} {'may not be written to' if there.is_dir() else 'is not a folder'}",
        expected="a folder that the job may write to, or one that it can make",
        remedy="name another as pusher.destination, or give permission",
    )


def _before(versions: list[Version]) -> Version:
    used = in_use(versions)
    if len(used) == 1:
        raise ConfigError(
            f"there is nothing to roll back to: no other model was in use before version {versions[-1].number}",
            expected="an older version with another model",
            remedy=f"name one with --to; `python -m job versions {versions[-1].directory.parent}` lists them",
        )
    return used[-2]


def _numbered(number: int, versions: list[Version], destination: Path) -> Version:
    for version in versions:
        if version.number == number:
            return version
    raise ConfigError(
        f"{destination} has no version {number}",
        expected=f"one of {', '.join(str(version.number) for version in versions)}",
        remedy=f"`python -m job versions {destination}` lists them",
    )


@contextmanager
def _working_on(destination: Path, needed: int | None, progress: Progress) -> Iterator[None]:
    """Be the only one at work on a destination, with what earlier ones left half-made removed."""

    def waiting(holder: str) -> None:
        progress.message(f"waiting: {holder} is at work on {destination}")

    try:
        with room_for(destination, needed, "the model that is pushed"):
            destination.mkdir(parents=True, exist_ok=True)
            with hold(destination / LOCK, holder="another push", waiting=waiting):
                for left in destination.glob(f"{STAGING}*"):
                    shutil.rmtree(left)
                yield
    except StorageError as error:
        remedy = "make room there, or name another folder to push to"
        raise StorageError(error.headline, expected="room for one more version", remedy=remedy) from error
    except OSError as error:
        raise _refused(destination, error) from error


def _refused(destination: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{error.filename or destination} cannot be used: {error.strerror or error}",
        expected="a folder of versions that the job may read and write",
        remedy="name another, or give permission",
    )


def _append(servable: Path, destination: Path, digest: str) -> Version:
    """Copy a servable to the next number, in one step for whoever looks."""
    staging = destination / f"{STAGING}{secrets.token_hex(4)}"
    try:
        copy_files(servable, staging)
        if content_digest(staging) != digest:
            raise IntegrityError(
                f"{servable} was changed after it was made",
                expected=f"content with the SHA-256 {digest}",
                remedy="name another version with --to, or run the job again",
            )
        for name in list_files(staging):
            flush(staging / name)
        for folder, _, _ in os.walk(staging):
            flush(Path(folder))
        number = next_number(destination)
        made = staging.rename(destination / str(number))
        flush(destination)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Version(number, made, read_statement(made))
