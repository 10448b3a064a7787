"""Publishing: a servable becomes the newest version of a destination, unless it is there or was rolled back from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.base.termination import NoTermination
from components.pusher.content import size_of
from components.pusher.metadata import read_rolled_back
from components.pusher.version_store import append, refused, translate_os_errors, working_on
from components.pusher.versions import Version, list_versions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from components.base.progress import Progress


@dataclass(frozen=True)
class Published:
    """What came of publishing.

    Attributes:
        version: the one that has the content now; None if it was rolled back from, and its version is gone.
        new: whether it was made, or was there already.
        served: the newest one, which a model server serves by default.
    """

    version: Version | None
    new: bool
    served: Version


def publish(servable: Path, destination: Path, *, digest: str, progress: Progress) -> Published:
    """Make a servable the newest version of a destination, unless one of its versions has the same content.

    What was pushed by others is not looked into. A version that was changed is only replaced if it is the newest one,
    and what was rolled back from since the last push stays so: a job that runs again changes nothing of what is served.

    Args:
        servable: the directory of one version.
        destination: the folder of the versions; made if it is not there.
        digest: of the servable's content.
        progress: told if another process is at work there, and of a version that was changed.

    Raises:
        ConfigError: if the destination, or one of its versions, cannot be used, or the servable is no SavedModel.
        IntegrityError: if the servable is not of that digest.
        JobError: if the destination could not be used this time.
        StorageError: if there is no space for it.
    """
    termination = NoTermination()
    with translate_os_errors(servable):
        needed = size_of(servable)
    with working_on(destination, needed, progress, termination, holder="another push"):
        versions = list_versions(destination)
        for version in versions:
            if version.refusal is not None:  # it may be this very model, and what is served is not to be changed
                raise refused(version.directory, version.refusal)
        rolled_back = read_rolled_back(versions[-1].directory) if versions else ()
        if there := _find(digest, versions):
            newest = versions[-1]
            if not (damage := there.damage):
                return Published(there, new=False, served=newest)
            if there is not newest:
                progress.warning(f"{there.directory} {damage}; it is not served, and nothing is pushed")
                return Published(there, new=False, served=newest)
            progress.warning(f"{there.directory} {damage}; the model is pushed anew")
        elif digest in rolled_back:
            progress.warning(
                f"the model is not pushed: {versions[-1].directory} was rolled back from it, and is served until "
                "another model is pushed"
            )
            return Published(None, new=False, served=versions[-1])
        made = append(servable, destination, digest, termination, rolled_back if there else ())
        return Published(made, new=True, served=made)


def _find(digest: str, versions: Sequence[Version]) -> Version | None:
    """Return the newest version that was pushed with some content."""
    pushed = (version for version in reversed(versions) if version.servable is not None)
    return next((version for version in pushed if version.digest == digest), None)
