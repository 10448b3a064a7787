"""Roll back: publish a copy of an older version as the newest one, so that a server always has a version."""

from collections.abc import Sequence

from components.artifacts import Rollback
from components.base.errors import ConfigError, IntegrityError
from components.base.progress import Progress
from components.base.termination import Termination
from components.object_storage.location import Location
from components.pusher.version_store import open_version_store
from components.pusher.versions import Version, VersionList, describe_version, no_saved_model, translate_os_errors

CHOOSE_ANOTHER = "choose another version"


def roll_back(destination: Location, to: int | None, *, progress: Progress, termination: Termination) -> Rollback:
    """Publish a copy of version `to`, or of the `previous_version`, as the newest one; nothing is deleted.

    Termination is checked up to the step that changes what is served, not after it.

    Raises:
        ConfigError: if there is no such destination or version, or it cannot be served.
        IntegrityError: if the version was changed after it was published.
        JobError: if the destination cannot be used at present.
        StorageError: if the disk is full.
        TerminationError: if termination was requested; nothing was changed.
    """
    store = open_version_store(destination)
    with translate_os_errors(destination):  # before a lock is written to a folder that may be no destination
        needed = _find_target(to, require_versions(store.read()), destination).size
    with store.locked(needed, progress, termination, owner="a rollback"):
        while True:
            present = store.recover()  # another process may have pushed in the meantime
            versions = require_versions(present)
            newest, target = versions[-1], _find_target(to, versions, destination)
            before = describe_version(newest, versions)
            rolled_back = {*newest.rolled_back(), newest.content_sha256 or target.digest} - {target.digest}
            with target.files() as files:
                added = store.append(files, target.digest, present.next_number, termination, sorted(rolled_back))
            if added is not None:
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


def require_versions(destination: VersionList) -> Sequence[Version]:
    """Return the versions at a destination, the newest last; raise ConfigError if there are none."""
    if not destination.versions:
        location = destination.location
        raise ConfigError(
            f"{location} has no versions" if destination.exists else f"there is no folder {location}",
            expected="a folder of pushed models, with a directory 1, 2, ... for each",
            remedy="name the pusher.destination of the configuration",
        )
    return destination.versions


def _find_target(to: int | None, versions: Sequence[Version], destination: Location) -> Version:
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
