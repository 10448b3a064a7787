"""Search for an artifact by its path, digest or fingerprint, or by the path of a pushed version."""

from __future__ import annotations

import re
from pathlib import Path

from components import Pusher
from components.artifacts import Model, PushedModel, Servable
from components.base.errors import ConfigError
from job.store.manifest import Manifest
from job.store.store import SealedArtifact, Store

MIN_PREFIX_LENGTH = 4
"""Shortest part of a digest or fingerprint that names an artifact."""
PREFIX = re.compile(rf"[0-9a-f]{{{MIN_PREFIX_LENGTH},64}}", re.ASCII)


def find_artifact(store: Store, name: str) -> SealedArtifact:
    """Return the artifact that a user names by its path, or by the beginning of its digest or fingerprint.

    The path of a version of a pushed model names the artifact that was published as this version.

    Raises:
        IntegrityError: if its manifest is damaged.
    """
    name = name.rstrip("…/")  # tables print shortened paths with an ellipsis
    path = Path(name).resolve()
    for slot, directory in store.sealed_directories():
        if directory.resolve() == path:
            return store.read(slot, directory)
    if (servable := Pusher.read_version(path)) is not None:
        return find_published(store, servable, path)
    prefix = path.name if "/" in name else name
    searchable = store.sealed_artifacts() if PREFIX.fullmatch(prefix) else ()
    found = [sealed for sealed in searchable if _has(sealed.manifest, prefix)]
    if len({sealed.manifest.digest for sealed in found}) == 1:  # different fingerprints may give the same content
        return _newest(found)
    if found:
        some = ", ".join(f"{sealed.slot}/{sealed.manifest.fingerprint[:12]}" for sealed in found[:5])
        raise ConfigError(
            f"{store.root} has {len(found)} artifacts `{prefix}`",
            expected=f"one of {some}",
            remedy="add more characters",
        )
    raise ConfigError(
        f"{store.root} has no run or artifact `{prefix}`",
        expected="a run's id, or an artifact's path, digest or fingerprint, or at least "
        f"{MIN_PREFIX_LENGTH} characters of these",
        remedy="see `python -m job show` for the newest run",
    )


def find_published(store: Store, servable: Servable, path: Path) -> SealedArtifact:
    """Return the artifact that was published as a version; if it was deleted, a model with the same weights.

    Args:
        store: the artifacts to search.
        servable: the statement of the version.
        path: the directory of the version, for the message.
    """
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


def _has(manifest: Manifest, prefix: str) -> bool:
    return manifest.digest.startswith(prefix) or manifest.fingerprint.startswith(prefix)


def _newest(found: list[SealedArtifact]) -> SealedArtifact:
    return max(found, key=lambda sealed: sealed.directory.stat().st_mtime)
