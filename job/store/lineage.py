"""Lineage: from a digest to an artifact, and from an artifact to its sources."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from components import Pusher
from components.artifacts import Examples, Model, PushedModel, Servable, TransformedExamples
from components.base.errors import ConfigError, IntegrityError
from components.object_storage.url import ObjectUrl, is_object_url
from job.store.manifest import MANIFEST, Manifest
from job.store.opened import local_path, open_store
from job.store.records import RunRecord
from job.store.sealed import SealedArtifact, read_sealed
from job.store.store import ARTIFACTS, Store

MIN_PREFIX_LENGTH = 4
"""Shortest part of a digest or fingerprint that names an artifact."""
PREFIX = re.compile(rf"[0-9a-f]{{{MIN_PREFIX_LENGTH},64}}", re.ASCII)


def step_manifests(store: Store, record: RunRecord) -> dict[str, Manifest]:
    """Return the manifests of a run's artifacts by digest; deleted and damaged ones are skipped."""
    manifests = {}
    for step in record.steps:
        with suppress(IntegrityError):
            manifest = store.read(step.component, store.directory(step.component, step.fingerprint)).manifest
            manifests[manifest.digest] = manifest
    return manifests


def lineage(manifests: dict[str, Manifest], digest: str) -> dict[str, Any]:
    """Return an artifact and its inputs, down to the source of the examples, as nested JSON values.

    An input whose manifest is not in `manifests` has only its digest, and `"missing": True`.
    """
    manifest = manifests.get(digest)
    if manifest is None:
        return {"digest": digest, "missing": True}
    node: dict[str, Any] = {
        "kind": manifest.artifact.kind,
        "digest": digest,
        "fingerprint": manifest.fingerprint,
        "component": manifest.producer.component,
        "inputs": {name: lineage(manifests, input_digest) for name, input_digest in manifest.inputs.items()},
    }
    if isinstance(manifest.artifact, Examples):
        node["source"] = manifest.artifact.source.model_dump(mode="json")
    return node


def final_outputs(record: RunRecord, manifests: dict[str, Manifest]) -> list[str]:
    """Return the digests of a run's artifacts that are not the input of another step: figures and pushed models."""
    used = [manifests[step.digest].inputs.values() for step in record.steps if step.digest in manifests]
    inputs = {digest for digests in used for digest in digests}
    return [step.digest for step in record.steps if step.digest not in inputs]


def find_artifact(store: Store, name: str) -> SealedArtifact | None:
    """Return the artifact with a path or a pushed version's path, or with the beginning of a digest or fingerprint.

    The path may be a URL, and may be outside of the store, as that of predictions is.
    """
    name = name.rstrip("…/")  # tables print shortened paths with an ellipsis
    path = Path(local_path(name)).resolve()
    if is_object_url(name) and not path.exists():
        servable = Pusher.read_version(ObjectUrl.parse(name))
        return None if servable is None else _find_published(store, servable, name)
    for slot, directory in store.sealed_directories():
        if directory.resolve() == path:
            return store.read(slot, directory)
    if (servable := Pusher.read_version(path)) is not None:
        return _find_published(store, servable, path)
    if os.path.isfile(path / MANIFEST):  # noqa: PTH113  (outside of the store; False for a long name)
        return read_sealed(path.name, path)
    prefix = path.name if "/" in name else name
    found = [
        sealed
        for sealed in (store.sealed_artifacts() if PREFIX.fullmatch(prefix) else ())
        if sealed.manifest.digest.startswith(prefix) or sealed.manifest.fingerprint.startswith(prefix)
    ]
    if len({sealed.manifest.digest for sealed in found}) == 1:  # different fingerprints may give the same content
        return _newest(found)
    if found:
        some = ", ".join(f"{sealed.slot}/{sealed.manifest.fingerprint[:12]}" for sealed in found[:5])
        problem = f"{store.root} has {len(found)} artifacts `{prefix}`"
        raise ConfigError(problem, expected=f"one of {some}", remedy="add more characters")
    return None


def _find_published(store: Store, servable: Servable, path: Path | str) -> SealedArtifact:
    """Return the artifact that was published as a version; if it was deleted, a model with the same weights."""
    pushed, models = [], []
    for sealed in store.sealed_artifacts():
        match sealed.manifest.artifact:
            case PushedModel(servable=other) if other is not None and other.content_sha256 == servable.content_sha256:
                pushed.append(sealed)
            case Model(weights_sha256=weights) if weights == servable.weights_sha256:
                models.append(sealed)
    if not (found := pushed or models):
        raise ConfigError(
            f"{store.root} has no artifact of {path}, a model with the weights {servable.weights_sha256[:12]}",
            expected="the root of the job that pushed it, before `gc` deleted its run",
            remedy="name that root with --root",
        )
    return _newest(found)


def _newest(found: list[SealedArtifact]) -> SealedArtifact:
    return max(found, key=lambda sealed: sealed.modified)


def find_training_examples(model: SealedArtifact) -> SealedArtifact:
    """Return the examples that a model was trained on, from its store; raise IntegrityError if they were deleted."""
    folders = (folder for folder in model.directory.parents if folder.name == ARTIFACTS)
    store = open_store(next(folders, model.directory).parent)
    digests = set(model.manifest.inputs.values())
    for sealed in store.sealed_artifacts():
        if sealed.manifest.digest in digests and isinstance(sealed.manifest.artifact, TransformedExamples):
            return sealed
    raise IntegrityError(
        f"{model.directory} was trained on examples that are not in {store.root}",
        expected="the output of the transform, which defines how raw images are scaled",
        remedy="name another model with --model, or run the job again",
    )
