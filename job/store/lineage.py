"""Lineage: from an artifact to its sources, by following content digests."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from components.artifacts import Examples
from components.base.errors import IntegrityError
from job.store.manifest import Manifest
from job.store.records import RunRecord
from job.store.store import Store


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
