"""Publish a servable as the newest version of a destination."""

from dataclasses import dataclass
from pathlib import Path

from components.artifacts import PushedModel, Stored
from components.base.progress import Progress
from components.base.termination import NoTermination
from components.object_storage.location import Location
from components.pusher.servable import servable_size
from components.pusher.version_store import open_version_store
from components.pusher.versions import Version, VersionList, translate_os_errors


@dataclass(frozen=True)
class PublishResult:
    """The version of a model after publishing, and the version that is served."""

    version: Version | None
    """The version of the model; None if the model was rolled back from, and its version was removed."""
    new: bool
    """Whether this call added the version."""
    served: Version
    """The newest version, which a model server loads by default."""

    def __str__(self) -> str:
        if self.version is None:
            return f"none: version {self.served.number}, which is served, was rolled back from this model"
        version = f"version {self.version.number}: {self.version.directory}"
        if self.new:
            return version
        other = "" if self.served.number == self.version.number else f"; version {self.served.number} is served"
        return f"{version}, there already{other}"


def publish_artifact(destination: Location, pushed: Stored[PushedModel], progress: Progress) -> str:
    """Publish a pushed model, and return which version it is; empty if it is withheld."""
    if pushed.artifact.directory is None or pushed.artifact.servable is None:
        return ""
    servable = pushed.directory / pushed.artifact.directory
    return str(publish(servable, destination, digest=pushed.artifact.servable.content_sha256, progress=progress))


def publish(servable: Path, destination: Location, *, digest: str, progress: Progress) -> PublishResult:
    """Add a servable as the newest version of a destination, unless a version has the same content.

    Running a job again must not change what is served. Therefore a changed version is replaced only if it is the
    newest, and a model that was rolled back from is not published until another model was.

    Raises:
        ConfigError: if the destination or one of its versions cannot be used, or the servable is not a SavedModel.
        IntegrityError: if the content of the servable has another digest.
        JobError: if the destination cannot be used at present.
        StorageError: if the disk is full.
    """
    termination = NoTermination()
    with translate_os_errors(servable):
        needed = servable_size(servable)
    store = open_version_store(destination)
    with store.locked(needed, progress, termination, owner="another push"):
        while True:
            versions = store.recover()
            decision = decide(versions, digest)
            if decision.warning:
                progress.warning(decision.warning)
            if decision.result is not None:
                return decision.result
            added = store.append(servable, digest, versions.next_number, termination, decision.rolled_back)
            if added is not None:
                return PublishResult(added, new=True, served=added)


@dataclass(frozen=True)
class Decision:
    """The decision whether a model is published."""

    result: PublishResult | None = None
    """The result without publishing; None if the model is published."""
    warning: str = ""
    rolled_back: tuple[str, ...] = ()
    """The digests of the models that the new version is recorded to replace."""


def decide(destination: VersionList, digest: str) -> Decision:
    """Return whether the model with a content digest is published to a destination."""
    versions = destination.versions
    for version in versions:
        if version.statement_error is not None:  # it may be this model, and what is served must not change
            with translate_os_errors(version.directory):
                raise version.statement_error
    rolled_back = versions[-1].rolled_back() if versions else ()
    # The content of versions that this job did not publish is not read.
    published = (version for version in reversed(versions) if version.servable is not None)
    if existing := next((version for version in published if version.digest == digest), None):
        newest = versions[-1]
        there = PublishResult(existing, new=False, served=newest)
        if not (damage := existing.damage):
            return Decision(there)
        if existing is not newest:
            return Decision(there, f"{existing.directory} {damage}; it is not served, and nothing is pushed")
        return Decision(None, f"{existing.directory} {damage}; the model is pushed again", rolled_back)
    if digest in rolled_back:
        warning = (
            f"the model is not pushed: {versions[-1].directory} was rolled back from it, and is served until "
            "another model is pushed"
        )
        return Decision(PublishResult(None, new=False, served=versions[-1]), warning)
    return Decision()


def plan_publication(destination: Location, digest: str | None) -> str:
    """Return the version that `publish` would add, or an empty string; `digest` is as for `planned_version`."""
    number = planned_version(destination, digest)
    return "" if number is None else f"version {number}: {destination / str(number)}"


def planned_version(destination: Location, digest: str | None) -> int | None:
    """Return the number of the version that `publish` would add; None if it would add none.

    `digest` is None if the content of the servable is not known: then it is assumed to be new.
    """
    versions = open_version_store(destination).read()
    with translate_os_errors(destination):
        if digest is not None and decide(versions, digest).result is not None:
            return None
    return versions.next_number
