"""GCP Batch: the shipped job parses strictly, retries by exit code, and its container runs."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from google.cloud import batch_v1

from components.base.errors import ExitCode
from components.object_storage import ObjectUrl
from tests.support.containers import docker, image_environment, image_user
from tests.support.processes import REPOSITORY

FINAL = {ExitCode.USAGE, ExitCode.BAD_DATA, ExitCode.NOT_BLESSED}
KILLED = 137
RESERVED = {
    50001: "the VM was preempted",
    50002: "the VM stopped reporting",
    50003: "the VM was rebooted",
    50004: "the task stopped responding",
    50005: "the task took longer than maxRunDuration",
    50006: "the VM was recreated",
}
"""https://cloud.google.com/batch/docs/troubleshooting#reserved-exit-codes"""
QUICK = ("--set", "trainer.epochs=1", "--set", "evaluator.thresholds.accuracy.minimum=0.1")
G2 = {"g2-standard-4": (4000, 16384)}
"""Milli-vCPUs and MiB of machine types with one L4 GPU."""


def parse(name: str) -> batch_v1.Job:
    """Parse a job: an unknown field or a value of the wrong type is an error."""
    return batch_v1.Job.from_json((REPOSITORY / "configs/batch" / name).read_text(), ignore_unknown_fields=False)


@pytest.fixture
def job() -> batch_v1.Job:
    return parse("gcp.json")


@pytest.fixture
def task(job: batch_v1.Job) -> batch_v1.TaskSpec:
    (group,) = job.task_groups
    assert group.task_count == 1
    return group.task_spec


@pytest.fixture
def container(task: batch_v1.TaskSpec) -> batch_v1.Runnable.Container:
    (runnable,) = task.runnables
    assert not runnable.ignore_exit_status
    return runnable.container


@pytest.mark.parametrize("code", [*list(ExitCode)[1:], KILLED, *RESERVED])
def test_only_temporary_failures_are_retried(task: batch_v1.TaskSpec, code: int) -> None:
    # Batch accepts one policy and does the opposite for exit codes that it does not list.
    (policy,) = task.lifecycle_policies
    listed = code in policy.action_condition.exit_codes
    is_retried = listed if policy.action == batch_v1.LifecyclePolicy.Action.RETRY_TASK else not listed
    assert is_retried == (code not in FINAL)


def test_spot_machines_are_requested_with_retries(job: batch_v1.Job, task: batch_v1.TaskSpec) -> None:
    (instance,) = job.allocation_policy.instances
    assert instance.policy.provisioning_model == batch_v1.AllocationPolicy.ProvisioningModel.SPOT
    assert 1 <= task.max_retry_count <= 10
    assert task.max_run_duration.total_seconds() >= 600


def test_root_is_on_a_server_that_outlives_the_machine(
    task: batch_v1.TaskSpec, container: batch_v1.Runnable.Container
) -> None:
    (volume,) = task.volumes
    assert "nfs" in volume  # Cloud Storage has no locks, and a local disk is deleted with its machine
    assert list(container.volumes) == [f"{volume.mount_path}:{image_environment()['JOB_ROOT']}:rw"]


def test_variant_for_object_storage_differs_in_the_root_only(job: batch_v1.Job) -> None:
    variant = batch_v1.Job.to_dict(parse("object-store/gcp.json"))
    task = variant["task_groups"][0]["task_spec"]
    variables = task["runnables"][0].pop("environment")["variables"]
    assert variables == {"JOB_ROOT": "gs://BUCKET/mnist-job", "JOB_CACHE_MAX_SIZE": "4GiB"}
    assert ObjectUrl.parse(variables["JOB_ROOT"].replace("BUCKET", "runs")).scheme == "gs"
    assert variant["allocation_policy"].pop("service_account")["email"] == "SERVICE_ACCOUNT"
    original = batch_v1.Job.to_dict(job)
    assert task.pop("volumes") == task["runnables"][0]["container"].pop("volumes") == []
    del original["task_groups"][0]["task_spec"]["volumes"]
    del original["task_groups"][0]["task_spec"]["runnables"][0]["container"]["volumes"]
    original["allocation_policy"].pop("service_account", None)
    original["task_groups"][0]["task_spec"]["runnables"][0].pop("environment", None)
    assert variant == original


def test_machine_has_a_gpu_with_driver_and_fits_the_task(job: batch_v1.Job, task: batch_v1.TaskSpec) -> None:
    (instance,) = job.allocation_policy.instances
    assert instance.install_gpu_drivers
    assert [(it.type_, it.count) for it in instance.policy.accelerators] == [("nvidia-l4", 1)]
    cpus, memory = G2[instance.policy.machine_type]
    assert task.compute_resource.cpu_milli <= cpus
    assert task.compute_resource.memory_mib <= memory


def test_log_goes_to_cloud_logging(job: batch_v1.Job, container: batch_v1.Runnable.Container) -> None:
    assert job.logs_policy.destination == batch_v1.LogsPolicy.Destination.CLOUD_LOGGING
    assert " ".join(container.commands).endswith("--log-format json")


@pytest.mark.container
def test_container_runs_with_the_options_of_batch(
    task: batch_v1.TaskSpec, container: batch_v1.Runnable.Container, image: str, container_root: Path
) -> None:
    (volume,) = task.volumes
    mounts = [mount.replace(volume.mount_path, str(container_root)) for mount in container.volumes]
    commands = [
        argument.replace("mnist.yaml", "digits.yaml").replace("device=gpu", "device=cpu")
        for argument in container.commands
    ]
    ran = docker(
        *("run", "--rm", "--network", "none"),
        *(part for mount in mounts for part in ("--volume", mount)),
        *shlex.split(container.options),
        *(image, *commands, *QUICK),
    )
    assert [json.loads(line)["event"] for line in ran.stdout.splitlines()][-1] == "run_finished"
    assert json.loads((container_root / "runs/latest/run.json").read_text())["exit_code"] == 0
    assert {path.stat().st_uid for path in container_root.glob("artifacts/*/*")} == {
        int(image_user().partition(":")[0])
    }


@pytest.mark.container
def test_options_drop_all_rights(container: batch_v1.Runnable.Container, image: str) -> None:
    created = docker("create", *shlex.split(container.options), image)
    name = created.stdout.strip()
    try:
        (inspected,) = json.loads(docker("inspect", name).stdout)
    finally:
        docker("rm", "--volumes", name)
    assert inspected["Config"]["User"] == image_user()
    assert inspected["HostConfig"]["ReadonlyRootfs"]
    assert inspected["HostConfig"]["CapDrop"] == ["ALL"]
    assert inspected["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]
    assert list(inspected["HostConfig"]["Tmpfs"]) == ["/tmp"]  # noqa: S108
