"""Submitting a Job again replaces it and keeps its volume: a real kubectl against a fake API server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.configs import api_server
from tests.configs.kubernetes import MANIFESTS, OBJECT_STORE, Rendered, call, require_kubectl
from tests.support.cases import parametrize_sample

require_kubectl()

JOB = "/apis/batch/v1/namespaces/training/jobs"
JOBSET = "/apis/jobset.x-k8s.io/v1alpha2/namespaces/training/jobsets"
CRON = "/apis/batch/v1/namespaces/training/cronjobs"
CLAIM = "/api/v1/namespaces/training/persistentvolumeclaims"
ACCOUNT = "/api/v1/namespaces/training/serviceaccounts"
IMAGE = "registry.example/mnist-job:0.2.0"
KEPT = ("PersistentVolumeClaim", "ServiceAccount")


@pytest.fixture(autouse=True)
def _no_own_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # for the cache of kubectl
    monkeypatch.setenv("KUBECONFIG", "/dev/null")


def submit(cluster: api_server.ApiServer, overlay: str, image: str = "") -> list[str]:
    """Submit an overlay and return the changing requests as `VERB path`."""
    before = len(cluster.changes)
    done = call(MANIFESTS / "submit.sh", overlay, image, f"--server={cluster.url}", "--namespace=training")
    assert done.returncode == 0, done.stderr
    return [f"{verb} {path}" for verb, path, _ in cluster.changes[before:]]


@parametrize_sample(1, "overlay", ["gpu", OBJECT_STORE, "multi-worker", "jobset", "cron"])
def test_second_job_replaces_the_first_and_keeps_the_rest(rendered: Rendered, overlay: str) -> None:
    kept = ACCOUNT if overlay == OBJECT_STORE else CLAIM
    submitted = {"Job": JOB, "JobSet": JOBSET, "CronJob": CRON}[rendered.kind]
    with api_server.running() as cluster:
        submit(cluster, overlay)
        (name,) = (it["metadata"]["name"] for kind, it in rendered.documents.items() if kind in KEPT)
        before = cluster.objects[f"{kept}/{name}"]
        changes = submit(cluster, overlay, IMAGE)
        deleted = [change for change in changes if change.startswith("DELETE")]
        # A CronJob can change; a Job of an overlay that was submitted before is always deleted.
        assert deleted == [f"DELETE {path}/mnist-job" for path in dict.fromkeys([JOB, submitted]) if path != CRON]
        applied = f"PATCH {CRON}/mnist-job" if submitted == CRON else f"POST {submitted}"
        assert changes.index(deleted[-1]) < changes.index(applied)
        assert cluster.objects[f"{kept}/{name}"] is before
        *_, (verb, body) = ((verb, body) for verb, path, body in cluster.changes if path.startswith(submitted))
    if verb == "PATCH":  # without the fields that stay
        assert body["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"] == [
            {"name": "job", "image": IMAGE}
        ]
    else:
        assert Rendered({rendered.kind: body}).container == {**rendered.container, "image": IMAGE}


def test_pods_of_the_first_exit_before_the_second_starts() -> None:
    with api_server.running() as cluster:
        submit(cluster, "cpu")
        submit(cluster, "cpu")
        deletions = [body for verb, _, body in cluster.changes if verb == "DELETE"]
    assert deletions == [{"propagationPolicy": "Foreground"}] * 2


def test_overlay_that_does_not_render_changes_nothing() -> None:
    with api_server.running() as cluster:
        done = call(MANIFESTS / "submit.sh", "tpu", "", f"--server={cluster.url}")
        assert (done.returncode, cluster.changes) == (2, [])


@pytest.mark.thorough
def test_logs_follow_the_newest_pod_once_it_has_started() -> None:
    pods, log = "/api/v1/namespaces/training/pods", {"kind": "the log"}
    spec = {"containers": [{"name": "job"}]}

    def pod(name: str, minute: int, phase: str) -> dict[str, Any]:
        created = f"2026-01-01T00:{minute:02}:00Z"
        metadata = {"name": name, "namespace": "training", "creationTimestamp": created}
        return {"metadata": metadata, "status": {"phase": phase}}

    failed, running = pod("mnist-job-zzzzz", 1, "Failed"), pod("mnist-job-aaaaa", 2, "Running")
    with api_server.running() as cluster:
        cluster.objects[pods] = {"kind": "PodList", "items": [pod("mnist-job-aaaaa", 2, "Pending"), failed]}
        cluster.objects[f"{pods}/mnist-job-aaaaa"] = {"kind": "Pod", **running, "spec": spec}
        cluster.objects[f"{pods}/mnist-job-aaaaa/log"] = log
        command = [str(MANIFESTS / "logs.sh"), f"--server={cluster.url}", "--namespace=training"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
            assert following.stderr is not None
            assert following.stderr.readline() == "waiting for a pod to start ...\n"
            cluster.objects[pods] = {"kind": "PodList", "items": [running, failed]}
            stdout, stderr = following.communicate(timeout=30)
    assert stderr == ""
    assert json.loads(stdout)["kind"] == "the log"
