"""Lineage: from an artifact back to its source, by following digests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import Pusher
from components.artifacts import Examples, Model, PushedModel
from components.base.errors import ConfigError, IntegrityError
from components.base.formatting import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.artifacts import Servable
    from job.store.manifest import Manifest
    from job.store.records import RunRecord
    from job.store.store import SealedArtifact, Store

LEAST = 4
"""So many characters of a digest or fingerprint, at least, name an artifact."""
PREFIX = re.compile(rf"[0-9a-f]{{{LEAST},64}}", re.ASCII)


def step_manifests(store: Store, record: RunRecord) -> dict[str, Manifest]:
    """Return the manifest of each step of a run that is still there, by digest."""
    manifests = {}
    for step in record.steps:
        try:
            manifest = store.read(step.component, store.directory(step.component, step.fingerprint)).manifest
        except IntegrityError:
            continue
        manifests[manifest.digest] = manifest
    return manifests


def find_artifact(store: Store, name: str) -> SealedArtifact:
    """Return the sealed artifact that a user names: by its path, its digest or its fingerprint, or their beginning.

    A version of a pushed model, named by its path, stands for the artifact that it was made of.

    Raises:
        ConfigError: if there is none, or more than one.
        IntegrityError: if its manifest is damaged.
    """
    name = name.rstrip("…/")  # as it is printed where there is little room
    place = Path(name).resolve()
    for slot, directory in store.sealed_directories():
        if directory.resolve() == place:
            return store.read(slot, directory)
    if (servable := Pusher.read_version(place)) is not None:
        return find_served(store, servable, place)
    name = place.name if "/" in name else name
    if PREFIX.fullmatch(name):
        found = [
            sealed
            for sealed in sealed_artifacts(store)
            if sealed.manifest.digest.startswith(name) or sealed.manifest.fingerprint.startswith(name)
        ]
    else:
        found = []
    if len({sealed.manifest.digest for sealed in found}) == 1:  # other recipes may have made the same
        return max(found, key=lambda sealed: sealed.directory.stat().st_mtime)
    some = ", ".join(f"{sealed.slot}/{sealed.manifest.fingerprint[:12]}" for sealed in found[:5])
    raise ConfigError(
        f"{store.root} has {len(found) or 'no'} {'artifacts' if found else 'run or artifact'} `{name}`",
        expected=f"one of {some}"
        if found
        else f"a run's id, or an artifact's path, digest or fingerprint, or at least {LEAST} characters of these",
        remedy="give more of it" if found else "see `python -m job show` for the newest run",
    )


def find_served(store: Store, servable: Servable, place: Path) -> SealedArtifact:
    """Return what a version was made of: the artifact that was pushed, or if that is gone, a model of its weights.

    Args:
        store: to look through.
        servable: what the version says that it is.
        place: where it is.

    Raises:
        ConfigError: if the store has neither.
    """
    pushed, models = [], []
    for sealed in sealed_artifacts(store):
        match sealed.manifest.artifact:
            case PushedModel(servable=made) if made is not None and made.content_sha256 == servable.content_sha256:
                pushed.append(sealed)
            case Model(weights_sha256=weights) if weights == servable.weights_sha256:
                models.append(sealed)
    if not (found := pushed or models):
        raise ConfigError(
            f"{store.root} has nothing of what {place} was made of, a model with the weights "
            f"{servable.weights_sha256[:12]}",
            expected="the root of the job that pushed it, before `gc` deleted its run",
            remedy="name that root with --root",
        )
    return max(found, key=lambda sealed: sealed.directory.stat().st_mtime)


def sealed_artifacts(store: Store) -> Iterator[SealedArtifact]:
    """Yield every artifact of the store whose manifest is whole."""
    for slot, directory in store.sealed_directories():
        try:
            yield store.read(slot, directory)
        except IntegrityError:
            continue


def lineage(manifests: dict[str, Manifest], digest: str) -> dict[str, Any]:
    """Return what an artifact was made of, as nested JSON values down to the source.

    An input whose manifest is not among `manifests` is named by its digest alone.
    """
    manifest = manifests.get(digest)
    if manifest is None:
        return {"digest": digest, "missing": True}
    node: dict[str, Any] = {
        "kind": manifest.artifact.kind,
        "digest": digest,
        "fingerprint": manifest.fingerprint,
        "component": manifest.producer.component,
        "inputs": {name: lineage(manifests, made_from) for name, made_from in manifest.inputs.items()},
    }
    if isinstance(manifest.artifact, Examples):
        node["source"] = manifest.artifact.source.model_dump(mode="json")
    return node


def describe(sealed: SealedArtifact) -> dict[str, str]:
    """Return what a person wants to know of an artifact, beside its lineage."""
    manifest = sealed.manifest
    return {
        "artifact": manifest.artifact.kind,
        "made by": f"{manifest.producer.component} {manifest.producer.version}",
        "digest": manifest.digest,
        "fingerprint": manifest.fingerprint,
        "files": f"{len(manifest.files)}, {format_size(sum(file.size for file in manifest.files))}",
        "where": str(sealed.directory),
    }


def final_outputs(record: RunRecord, manifests: dict[str, Manifest]) -> list[str]:
    """Return the digests of what a run made and made nothing else of: the figures, and what was pushed."""
    used = {
        digest for step in record.steps if step.digest in manifests for digest in manifests[step.digest].inputs.values()
    }
    return [step.digest for step in record.steps if step.digest not in used]
