"""The Kubernetes manifests render, are valid in all supported versions, and match the job and its image."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import typer.main
from kubernetes_validate.utils import all_versions, major_minor

from job.cli import app
from job.config.config import load_config
from job.config.sweep_document import SweepDocument
from job.config.yaml_config import YamlConfig
from job.options import LogFormat
from tests.configs.kubernetes import (
    MANIFESTS,
    OBJECT_STORE,
    OVERLAYS,
    WORKERS,
    Rendered,
    call,
    kubectl_kustomize,
    parse,
    render,
    require_kubectl,
    validate,
)
from tests.support.cases import parametrize_sample
from tests.support.containers import DOCKERFILE, image_environment, image_user
from tests.support.processes import REPOSITORY

require_kubectl()

# kubernetes-validate contains the schemas of every minor version; Kubernetes supports the newest three.
VERSIONS = [major_minor(version) for version in dict.fromkeys(all_versions())][-5:]
DEVICES = {overlay: "gpu" if overlay in {"gpu", "kueue"} else "cpu" for overlay in OVERLAYS}
INDEX = "$(JOB_COMPLETION_INDEX)"
"""Kubernetes replaces it in the pods of an indexed Job."""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", ["base", *(f"overlays/{overlay}" for overlay in OVERLAYS)])
def test_every_document_is_valid(folder: str, version: str) -> None:
    validate(parse(kubectl_kustomize(folder)), version)


def test_mounts_and_volumes_match(rendered: Rendered) -> None:
    mounts, volumes = rendered.container["volumeMounts"], rendered.pod["volumes"]
    assert sorted(mount["name"] for mount in mounts) == sorted(volume["name"] for volume in volumes)
    assert len({mount["mountPath"] for mount in mounts}) == len(mounts)


def test_user_is_that_of_the_image_and_owns_the_volume(rendered: Rendered) -> None:
    context = rendered.pod["securityContext"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == image_user()
    assert context["runAsUser"] > 0
    assert context["fsGroup"] == context["runAsGroup"]


def test_image_writes_only_to_writable_volumes(rendered: Rendered) -> None:
    paths = {name: value for name, value in image_environment().items() if re.fullmatch(r"/[^:]*", value)}
    written = {name: value for name, value in paths.items() if name != "PYTHONPATH"}
    assert {"HOME", "JOB_ROOT", "TFDS_DATA_DIR"} <= set(written)
    for name, path in written.items():
        mount = rendered.mounted_below(path)
        assert {"emptyDir", "persistentVolumeClaim"} & set(mount), f"{name} is on the image's own file system"
        assert not mount.get("readOnly", False)


def test_root_is_on_the_claimed_volume(overlay_with_a_volume: str) -> None:
    rendered = render(overlay_with_a_volume)
    mount = rendered.mounts[image_environment()["JOB_ROOT"]]
    claim = rendered.documents["PersistentVolumeClaim"]
    assert mount["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    assert not mount.get("readOnly", False)


def test_temporary_volumes_have_a_size_limit(rendered: Rendered) -> None:
    for mount in rendered.mounts.values():
        if "emptyDir" in mount:
            assert re.fullmatch(r"[1-9]\d*Gi", mount["emptyDir"]["sizeLimit"])


def test_pod_has_no_unneeded_rights(overlay: str, rendered: Rendered) -> None:
    assert rendered.pod["automountServiceAccountToken"] is False
    assert rendered.pod["enableServiceLinks"] is False
    assert rendered.pod.get("serviceAccountName") == ("mnist-job" if overlay == OBJECT_STORE else None)
    assert rendered.pod["securityContext"]["runAsNonRoot"] is True
    assert rendered.pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert rendered.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    kinds = {key for volume in rendered.pod["volumes"] for key in volume} - {"name"}
    assert kinds <= {"persistentVolumeClaim", "configMap", "emptyDir"}, "no secrets, tokens or host paths"
    assert all("valueFrom" not in variable for variable in rendered.container["env"])


def test_requests_equal_limits(overlay: str, rendered: Rendered) -> None:
    resources = rendered.container["resources"]
    assert resources["requests"] == resources["limits"]
    assert resources["limits"]["cpu"].isdecimal(), "only whole CPUs can be pinned"
    assert resources["limits"].get("nvidia.com/gpu", "0") == {"cpu": "0", "gpu": "1"}[DEVICES[overlay]]


def test_gpu_pod_has_shared_memory_within_its_limit(overlay: str, rendered: Rendered) -> None:
    if DEVICES[overlay] == "cpu":
        assert "/dev/shm" not in rendered.mounts  # noqa: S108
        return
    shared = rendered.mounts["/dev/shm"]["emptyDir"]  # noqa: S108
    assert shared["medium"] == "Memory"
    limit = rendered.container["resources"]["limits"]["memory"]
    assert int(shared["sizeLimit"].removesuffix("Gi")) < int(limit.removesuffix("Gi"))


def command_line(rendered: Rendered) -> dict[str, Any]:
    """Return the values of the options of the container's command, in the first pod."""
    name, *arguments = rendered.container["args"]
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    words = ["0" if word == INDEX else word for word in arguments]
    return dict(commands[name].make_context(name, words).params)


def test_command_line_of_the_container_is_valid(rendered: Rendered) -> None:
    parameters = command_line(rendered)
    assert parameters.get("log_format", LogFormat.JSON) is LogFormat.JSON
    assert "command" not in rendered.container, "the entry point of the image runs"
    config = PurePosixPath(str(parameters["config"]))
    assert config.name in rendered.documents["ConfigMap"]["data"]
    generated = rendered.documents["ConfigMap"]["metadata"]["name"]
    assert rendered.mounts[str(config.parent)]["configMap"] == {"name": generated}
    assert re.fullmatch(r"mnist-job-config-[a-z0-9]{10}", generated), "the name contains a hash of the configuration"
    assert f"echo {config.parent} >" in DOCKERFILE.read_text(), "components beside the configuration are importable"


def test_configuration_loads(overlay: str, rendered: Rendered, tmp_path: Path) -> None:
    # The image has the repository's configs/ in /app.
    (text,) = rendered.documents["ConfigMap"]["data"].values()
    (tmp_path / "config.yaml").write_text(text.replace("/app/", f"{REPOSITORY}/"))
    if overlay == "sweep":
        config = SweepDocument.read(YamlConfig.load(tmp_path / "config.yaml")).config()
    else:
        config = load_config(tmp_path / "config.yaml")
    assert config.pipeline.trainer.config.device == DEVICES[overlay]
    assert config.pipeline.example_gen.config.source.kind == "tfds"
    assert (config.pipeline.trainer.config.strategy == "multi_worker") is (overlay in WORKERS)


def test_all_objects_are_labelled(rendered: Rendered) -> None:
    for labelled in (*rendered.documents.values(), rendered.job["template"]):
        assert labelled["metadata"]["labels"]["app.kubernetes.io/name"] == "mnist-job"


def test_only_some_jobs_wait_in_a_queue(overlay: str, rendered: Rendered) -> None:
    queue = rendered.documents[rendered.kind]["metadata"]["labels"].get("kueue.x-k8s.io/queue-name")
    assert queue == ("mnist-job" if overlay in {"kueue", *WORKERS} else None)
    assert rendered.job.get("suspend", False) is (overlay == "kueue")


def test_every_pod_of_a_sweep_has_its_share_of_the_trials() -> None:
    rendered = render("sweep")
    assert rendered.job["completionMode"] == "Indexed"
    assert rendered.container["args"].count(INDEX) == 1
    assert command_line(rendered)["count"] == rendered.job["completions"] >= rendered.job["parallelism"]
    assert "backoffLimit" not in rendered.job, "one failing share would stop the others"


def test_only_pods_that_run_together_share_a_volume(overlay_with_a_volume: str) -> None:
    # The access mode of a claim cannot change, hence the names.
    claim = render(overlay_with_a_volume).documents["PersistentVolumeClaim"]
    shared = {"sweep": "mnist-job-sweeps"} | dict.fromkeys(WORKERS, "mnist-job-workers")
    name = shared.get(overlay_with_a_volume, "mnist-job-runs")
    expected = (name, "ReadWriteMany" if overlay_with_a_volume in shared else "ReadWriteOnce")
    assert (claim["metadata"]["name"], *claim["spec"]["accessModes"]) == expected


@parametrize_sample(2, "image", ["registry.example:5000/team/mnist-job:0.1.0", "mnist-job@sha256:" + "0" * 64])
def test_image_override_changes_nothing_else(overlay: str, rendered: Rendered, image: str) -> None:
    done = call(MANIFESTS / "render.sh", overlay, image)
    plain = kubectl_kustomize(f"overlays/{overlay}")
    assert done.stdout == plain.replace(f"image: {rendered.container['image']}\n", f"image: {image}\n")
    assert done.stdout != plain


def test_unknown_overlay_is_reported_with_the_known_ones() -> None:
    done = call(MANIFESTS / "render.sh", "tpu")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"render.sh: unknown overlay 'tpu', expected one of {', '.join(OVERLAYS)}\n"
