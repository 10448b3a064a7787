"""Roll back: publish a copy of an older version as the newest one, so that a server always has a version."""

from collections.abc import Sequence
from pathlib import Path

from components.artifacts import Rollback
from components.base.errors import ConfigError, IntegrityError
from components.base.progress import Progress
from components.base.termination import Termination
from components.pusher.metadata import read_rolled_back
from components.pusher.servable import servable_size
from components.pusher.version_store import append_version, locked_destination, no_saved_model, translate_os_errors
from components.pusher.versions import Version, describe_version, list_versions

CHOOSE_ANOTHER = "choose another version"


def roll_back(destination: Path, to: int | None, *, progress: Progress, termination: Termination) -> Rollback:
    """Publish a copy of version `to`, or of the `previous_version`, as the newest one; nothing is deleted.

    Termination is checked up to the step that changes what is served, not after it.

    Raises:
        ConfigError: if there is no such destination or version, or it cannot be served.
        IntegrityError: if the version was changed after it was published.
        JobError: if the destination cannot be used at present.
        StorageError: if the disk is full.
        TerminationError: if termination was requested; nothing was changed.
    """
    with translate_os_errors(destination):  # before a lock is written to a folder that may be no destination
        needed = servable_size(_find_target(to, require_versions(destination), destination).directory)
    with locked_destination(destination, needed, progress, termination, owner="a rollback"):
        versions = require_versions(destination)  # another process may have pushed in the meantime
        newest, target = versions[-1], _find_target(to, versions, destination)
        before = describe_version(newest, versions)
        rolled_back = {*read_rolled_back(newest.directory), newest.content_sha256 or target.digest} - {target.digest}
        added = append_version(target.directory, destination, target.digest, termination, sorted(rolled_back))
        return Rollback(before=before, served=describe_version(added, [*versions, added]))


def previous_version(versions: Sequence[Version]) -> Version:
    """Return the version that a rollback serves again by default: the model that was served before.

    Versions were served in their order. One with the content of an earlier version is a rollback to it: those in
    between are dropped, so that the next rollback does not return to them. A directory without a SavedModel was never
    served: if the newest has none, the one before it is still served, and is selected.
    """
    history: list[Version] = []
    for version in versions:
        if version.is_model:
            digests = [earlier.digest for earlier in history]
            if version.digest in digests:
                del history[digests.index(version.digest) :]
            history.append(version)
    if versions[-1].is_model:
        del history[-1]
    if not history:
        raise ConfigError(
            f"there is nothing to roll back to: no other model was served before version {versions[-1].number}",
            expected="an older version with another model",
            remedy="push another model first" if len(versions) == 1 else "choose a version by its number",
        )
    return history[-1]


def require_versions(destination: Path) -> list[Version]:
    """Return the versions below a destination, the newest last; raise ConfigError if there are none."""
    with translate_os_errors(destination):
        versions = list_versions(destination)
        exists = destination.is_dir()
    if not versions:
        raise ConfigError(
            f"{destination} has no versions" if exists else f"there is no folder {destination}",
            expected="a folder of pushed models, with a directory 1, 2, ... for each",
            remedy="name the pusher.destination of the configuration",
        )
    return versions


def _find_target(to: int | None, versions: Sequence[Version], destination: Path) -> Version:
    newest, by_number = versions[-1], {version.number: version for version in versions}
    if to is not None and to not in by_number:
        raise ConfigError(
            f"{destination} has no version {to}",
            expected=f"one of {', '.join(map(str, by_number))}",
            remedy=CHOOSE_ANOTHER,
        )
    target = previous_version(versions) if to is None else by_number[to]
    if target.read_error is not None:
        with translate_os_errors(target.directory):
            raise target.read_error
    if not target.is_model:
        raise no_saved_model(target.directory)
    if target.digest == newest.digest and not newest.damage:
        copy = "" if target.number == newest.number else f": version {newest.number} is a copy of it"
        raise ConfigError(
            f"version {target.number} is served already{copy}",
            expected="a version with another model",
            remedy=CHOOSE_ANOTHER,
        )
    if target.damage:
        raise IntegrityError(
            f"{target.directory} {target.damage}",
            expected=f"content with the SHA-256 {target.digest}",
            remedy=CHOOSE_ANOTHER,
        )
    return target
