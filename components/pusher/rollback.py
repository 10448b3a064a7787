"""Rolling back: an older version, copied, becomes the newest, so that a server is never without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.base.errors import ConfigError, IntegrityError
from components.pusher.content import size_of
from components.pusher.metadata import read_rolled_back
from components.pusher.version_store import append, no_model, refused, translate_os_errors, working_on
from components.pusher.versions import Version, in_use, list_versions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from components.base.progress import Progress
    from components.base.termination import Termination


@dataclass(frozen=True)
class RolledBack:
    """What came of rolling back.

    Attributes:
        version: the newest one now.
        to: the one that it is a copy of.
        before: the one that was served before.
        versions: all of the destination, the newest last.
    """

    version: Version
    to: Version
    before: Version
    versions: tuple[Version, ...]


def roll_back(destination: Path, to: int | None, *, progress: Progress, termination: Termination) -> RolledBack:
    """Publish the content of an older version anew, as the newest: nothing is deleted.

    Args:
        destination: the folder of the versions.
        to: the number of a version; None for the one that was in use before what is served now (see `in_use`).
        progress: told if another process is at work there.
        termination: asked up to the step that changes what is served; never after it.

    Raises:
        ConfigError: if there is no such destination or version, it is no SavedModel or cannot be read, or there is
            nothing to go back to.
        IntegrityError: if the version was changed after it was published.
        JobError: if the destination could not be used this time.
        StorageError: if there is no space for its copy.
        TerminationError: if the job was asked to end; nothing was changed then.
    """
    with translate_os_errors(destination):  # before a lock is laid into what may be no destination
        needed = size_of(_target(to, require_versions(destination), destination).directory)
    with working_on(destination, needed, progress, termination, holder="a rollback"):
        versions = require_versions(destination)  # others may have pushed in the meantime
        newest, target = versions[-1], _target(to, versions, destination)
        from_now_on = {*read_rolled_back(newest.directory), newest.digest} - {target.digest}
        left = () if newest.unreadable else tuple(sorted(from_now_on))
        made = append(target.directory, destination, target.digest, termination, left)
        return RolledBack(made, to=target, before=newest, versions=(*versions, made))


def require_versions(destination: Path) -> list[Version]:
    """Return the versions below a destination, the newest last; at least one.

    Raises:
        ConfigError: if there is no such folder, or none in it.
        JobError: if it could not be read this time.
    """
    with translate_os_errors(destination):
        versions = list_versions(destination)
        there = destination.is_dir()
    if not versions:
        raise ConfigError(
            f"{destination} has no versions" if there else f"there is no folder {destination}",
            expected="a folder that models were pushed to, with a directory 1, 2, ... for each",
            remedy="name the pusher.destination of the configuration",
        )
    return versions


def _target(to: int | None, versions: Sequence[Version], destination: Path) -> Version:
    """Return the version to go back to, seen to be whole, and not to be served already."""
    newest = versions[-1]
    target = _before(versions, destination) if to is None else _numbered(to, versions, destination)
    if target.unreadable is not None:
        raise refused(target.directory, target.unreadable)
    if not target.is_model:
        raise no_model(target.directory)
    if target.digest == newest.digest and not newest.damage:
        copy = "" if target.number == newest.number else f": version {newest.number} is a copy of it"
        raise ConfigError(
            f"version {target.number} is served already{copy}",
            expected="a version with another model",
            remedy=f"`python -m job versions {destination}` lists them",
        )
    if target.damage:
        raise IntegrityError(
            f"{target.directory} {target.damage}",
            expected=f"content with the SHA-256 {target.digest}",
            remedy=f"name another version with --to; `python -m job versions {destination}` lists them",
        )
    return target


def _before(versions: Sequence[Version], destination: Path) -> Version:
    newest, used = versions[-1], in_use(versions)
    if used and used[-1] is not newest:  # which no server can load: it still serves this one
        return used[-1]
    if len(used) < 2:
        raise ConfigError(
            f"there is nothing to roll back to: no other model was in use before version {newest.number}",
            expected="an older version with another model",
            remedy="push another model first"
            if len(versions) == 1
            else f"name one with --to; `python -m job versions {destination}` lists them",
        )
    return used[-2]


def _numbered(number: int, versions: Sequence[Version], destination: Path) -> Version:
    for version in versions:
        if version.number == number:
            return version
    raise ConfigError(
        f"{destination} has no version {number}",
        expected=f"one of {', '.join(str(version.number) for version in versions)}",
        remedy=f"`python -m job versions {destination}` lists them",
    )
