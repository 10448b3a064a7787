"""A Job is submitted again and again, and what it did is kept: a real kubectl, and what it asks of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.configs import api_server
from tests.configs.kubernetes import MANIFESTS, Rendered, call, require_kubectl

require_kubectl()

JOB = "/apis/batch/v1/namespaces/training/jobs"
CLAIM = "/api/v1/namespaces/training/persistentvolumeclaims"


@pytest.fixture(autouse=True)
def _no_cluster_of_mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # kubectl keeps a cache there
    monkeypatch.setenv("KUBECONFIG", "/dev/null")


def submit(cluster: api_server.Cluster, overlay: str, image: str = "") -> list[str]:
    """Submit an overlay; return what was changed in the cluster, as `VERB path`."""
    before = len(cluster.changes)
    done = call(MANIFESTS / "submit.sh", overlay, image, f"--server={cluster.url}", "--namespace=training")
    assert done.returncode == 0, done.stderr
    return [f"{verb} {path}" for verb, path, _ in cluster.changes[before:]]


def test_the_second_job_takes_the_place_of_the_first_and_keeps_its_volume(rendered: Rendered, overlay: str) -> None:
    with api_server.running() as cluster:
        submit(cluster, overlay)
        claimed = cluster.objects[f"{CLAIM}/mnist-job-runs"]
        changes = submit(cluster, overlay, "registry.example/mnist-job:0.2.0")
        assert changes.index(f"DELETE {JOB}/mnist-job") < changes.index(f"POST {JOB}")
        assert [change for change in changes if change.startswith("DELETE")] == [f"DELETE {JOB}/mnist-job"]
        assert cluster.objects[f"{CLAIM}/mnist-job-runs"] is claimed
        (container,) = cluster.objects[f"{JOB}/mnist-job"]["spec"]["template"]["spec"]["containers"]
    assert container == {**rendered.container, "image": "registry.example/mnist-job:0.2.0"}


def test_the_pods_of_the_first_are_gone_before_the_second_starts() -> None:
    with api_server.running() as cluster:
        submit(cluster, "cpu")
        submit(cluster, "cpu")
        deletions = [body for verb, _, body in cluster.changes if verb == "DELETE"]
    assert deletions == [{"propagationPolicy": "Foreground"}] * 2


def test_an_overlay_that_does_not_render_changes_nothing() -> None:
    with api_server.running() as cluster:
        done = call(MANIFESTS / "submit.sh", "tpu", "", f"--server={cluster.url}")
        assert (done.returncode, cluster.changes) == (2, [])
