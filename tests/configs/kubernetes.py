"""The manifests of configs/kubernetes, rendered by kubectl and parsed."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml

from tests.support.processes import REPOSITORY

MANIFESTS = REPOSITORY / "configs" / "kubernetes"
OVERLAYS = sorted(folder.name for folder in (MANIFESTS / "overlays").iterdir())
OBJECT_STORE = "object-store"


def require_kubectl() -> None:
    """Skip the calling module without kubectl; from here, so that the summary has one line for all modules."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is missing: install 1.32 or newer (Debian 13 has it)", allow_module_level=True)


@dataclass(frozen=True)
class Rendered:
    """The rendered documents of an overlay by kind, one of each."""

    documents: dict[str, dict[str, Any]]

    @property
    def job(self) -> dict[str, Any]:
        return dict(self.documents["Job"]["spec"])

    @property
    def pod(self) -> dict[str, Any]:
        return dict(self.job["template"]["spec"])

    @property
    def container(self) -> dict[str, Any]:
        (container,) = self.pod["containers"]
        return dict(container)

    @property
    def mounts(self) -> dict[str, dict[str, Any]]:
        """The volume mounted at each path, merged with the fields of its mount."""
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        return {mount["mountPath"]: {**volumes[mount["name"]], **mount} for mount in self.container["volumeMounts"]}

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the container, without what a Secret adds."""
        return {variable["name"]: variable["value"] for variable in self.container["env"]}

    def mounted_below(self, path: str) -> dict[str, Any]:
        """Return the mount that contains a path; empty if the path is on the image's own file system."""
        above = [str(folder) for folder in (PurePosixPath(path), *PurePosixPath(path).parents)]
        return next((self.mounts[folder] for folder in above if folder in self.mounts), {})


@cache
def render(overlay: str) -> Rendered:
    """Render an overlay and parse it."""
    rendered = parse(kubectl_kustomize(f"overlays/{overlay}"))
    root = "ServiceAccount" if overlay == OBJECT_STORE else "PersistentVolumeClaim"
    assert sorted(rendered.documents) == ["ConfigMap", "Job", root]
    return rendered


def parse(manifests: str) -> Rendered:
    """Parse rendered manifests that have one document of each kind."""
    documents = list(yaml.safe_load_all(manifests))
    kinds = [document["kind"] for document in documents]
    assert len({*kinds}) == len(kinds)
    return Rendered(dict(zip(kinds, documents, strict=True)))


@cache
def kubectl_kustomize(folder: str) -> str:
    """Render a folder of the manifests with kubectl."""
    done = call("kubectl", "kustomize", MANIFESTS / folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def call(*command: object) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False)
