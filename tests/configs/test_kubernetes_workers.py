"""The overlays whose pods train together, as a Job and as a JobSet."""

from __future__ import annotations

import pytest

from components.runtime.cluster import find_cluster
from tests.configs.kubernetes import WORKERS, Rendered, render, require_kubectl

require_kubectl()

JOB_NAMES = {"multi-worker": "mnist-job", "jobset": "mnist-job-worker-0"}
"""A JobSet calls its Jobs `<name>-<replicated job>-<number>`."""
RETRIES = 6


@pytest.fixture(params=sorted(WORKERS))
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_pod_finds_the_same_workers(overlay: str, rendered: Rendered) -> None:
    name, service = JOB_NAMES[overlay], rendered.documents["Service"]["metadata"]["name"]
    count = rendered.job["completions"]
    for index in range(count):
        # Kubernetes sets both variables in the pods of an indexed Job.
        own = {"JOB_COMPLETION_INDEX": str(index), "HOSTNAME": f"{name}-{index}"}
        cluster = find_cluster({**rendered.variables, **own})
        assert cluster is not None
        assert cluster.index == index
        assert cluster.workers == tuple(f"{name}-{number}.{service}:2222" for number in range(count))


def test_all_workers_run_at_the_same_time(rendered: Rendered) -> None:
    job = rendered.job
    assert job["completionMode"] == "Indexed"
    assert job["completions"] == job["parallelism"] == int(rendered.variables["JOB_WORKERS"]) >= 2


def test_service_gives_each_pod_a_name_before_it_is_ready(rendered: Rendered) -> None:
    service = rendered.documents["Service"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"].items() <= rendered.job["template"]["metadata"]["labels"].items()
    assert rendered.pod["subdomain"] == service["metadata"]["name"]


def test_only_the_pods_of_the_job_connect_to_each_other(rendered: Rendered) -> None:
    policy = rendered.documents["NetworkPolicy"]["spec"]
    pods = {"podSelector": {"matchLabels": rendered.documents["Service"]["spec"]["selector"]}}
    assert policy == {**pods, "policyTypes": ["Ingress"], "ingress": [{"from": [pods]}]}


def test_the_group_is_retried_as_often_as_a_single_pod() -> None:
    single, together = render("cpu").job, render("multi-worker").job
    assert single["backoffLimit"] == RETRIES
    assert together["backoffLimit"] == RETRIES * together["completions"], "all workers fail together"
    jobset = render("jobset")
    assert jobset.documents["JobSet"]["spec"]["failurePolicy"]["maxRestarts"] == RETRIES
    assert jobset.job["backoffLimit"] == 0, "the JobSet restarts all pods"


def test_jobset_has_the_pods_of_the_job() -> None:
    job, jobset = render("multi-worker").job, render("jobset").job
    changed = {"backoffLimit", "ttlSecondsAfterFinished"}
    assert {key: value for key, value in jobset.items() if key not in changed} == {
        key: value for key, value in job.items() if key not in changed
    }
