"""The manifests of configs/kubernetes, rendered by kubectl and parsed."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.support.processes import REPOSITORY

MANIFESTS = REPOSITORY / "configs" / "kubernetes"
OVERLAYS = sorted(folder.name for folder in (MANIFESTS / "overlays").iterdir())
OBJECT_STORE = "object-store"
WORKERS = {"jobset", "multi-worker"}
"""Overlays whose pods train together."""
TEMPLATES = {
    "Job": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec"),
    "JobSet": ("spec", "replicatedJobs", 0, "template", "spec"),
}
"""Where each kind has the specification of its Job."""


def closed(**properties: object) -> dict[str, Any]:
    """Return the JSON Schema of an object that has these properties and no others."""
    return {"type": "object", "properties": properties, "additionalProperties": False, "required": [*properties]}


JOBSET: dict[str, Any] = closed(
    apiVersion={"const": "jobset.x-k8s.io/v1alpha2"},
    kind={"const": "JobSet"},
    metadata={"type": "object"},
    spec=closed(
        network=closed(enableDNSHostnames={"type": "boolean"}),
        failurePolicy=closed(
            maxRestarts={"type": "integer", "minimum": 0},
            rules={
                "items": closed(
                    name={"pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
                    action={"const": "FailJobSet"},
                    onJobFailureReasons={"items": {"enum": ["PodFailurePolicy", "BackoffLimitExceeded"]}},
                )
            },
        ),
        ttlSecondsAfterFinished={"type": "integer", "minimum": 0},
        replicatedJobs={"items": closed(name={}, replicas={"const": 1}, template=closed(spec={"type": "object"}))},
    ),
)
"""The schema of the part of a JobSet that the overlay uses; the Job in it has its own."""


def require_kubectl() -> None:
    """Skip the calling module without kubectl; from here, so that the summary has one line for all modules."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is missing: install 1.32 or newer (Debian 13 has it)", allow_module_level=True)


@dataclass(frozen=True)
class Rendered:
    """The rendered documents of an overlay by kind, one of each."""

    documents: dict[str, dict[str, Any]]

    @property
    def kind(self) -> str:
        """The kind of the document that has the pods: a Job, or one that creates Jobs."""
        (kind,) = TEMPLATES.keys() & self.documents
        return kind

    @property
    def job(self) -> dict[str, Any]:
        """The specification of the Job."""
        found: Any = self.documents[self.kind]
        for key in TEMPLATES[self.kind]:
            found = found[key]
        return dict(found)

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
    network = {"Service", "NetworkPolicy"} if overlay in WORKERS else set()
    assert set(rendered.documents) == {"ConfigMap", rendered.kind, root, *network}
    return rendered


def validate(rendered: Rendered, version: str = "1.33") -> None:
    """Validate all documents against the schemas of a version of Kubernetes; a JobSet against its own, and as a Job."""
    documents = dict(rendered.documents)
    if jobset := documents.pop("JobSet", None):
        jsonschema.validate(jobset, JOBSET)
        metadata = {"name": "job", **jobset["spec"]["replicatedJobs"][0]["template"].get("metadata", {})}
        documents["Job"] = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": rendered.job}
    for document in documents.values():
        assert kubernetes_validate.validate(document, version, strict=True) == version


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
