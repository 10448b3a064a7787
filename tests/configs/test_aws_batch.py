"""AWS Batch: the shipped job definition is valid, retries by exit code, and its container runs.

moto runs it in a real container, with its image, command, environment and mounts. It ignores the user, the read-only
root and /tmp, which a test passes to the engine as Amazon ECS does, and the retry rules, which `deciding_rule` applies
as AWS documents them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from functools import partialmethod
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import docker
import pytest
from botocore.model import ListShape, Shape, StructureShape
from botocore.validate import ParamValidator
from docker.models.containers import Container
from moto import mock_aws

from components.base.errors import ExitCode
from components.object_storage import ObjectUrl
from tests.support.containers import image_environment, image_user
from tests.support.processes import REPOSITORY, wait_until

FINAL = {ExitCode.USAGE, ExitCode.BAD_DATA, ExitCode.NOT_BLESSED}
KILLED = 137
ENDED = ("SUCCEEDED", "FAILED")
HERE = {"configs/mnist.yaml": "configs/digits.yaml", "trainer.device=gpu": "trainer.device=cpu"}
"""Arguments of the command to replace on a machine without network and GPU."""


def shipped(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((REPOSITORY / "configs/batch" / name).read_text())
    return found


@pytest.fixture
def definition() -> dict[str, Any]:
    return shipped("aws.json")


def wrong_enums(shape: Shape, value: Any, path: str = "") -> list[str]:
    """Return all values that are not in the enum of the API; botocore does not check enums."""
    if isinstance(shape, StructureShape):
        return [it for key in value for it in wrong_enums(shape.members[key], value[key], f"{path}.{key}")]
    if isinstance(shape, ListShape):
        return [it for entry in value for it in wrong_enums(shape.member, entry, f"{path}[]")]
    choices = getattr(shape, "enum", [])
    return [f"{path}: {value} is not one of {choices}"] if choices and value not in choices else []


@pytest.mark.parametrize("name", ["aws.json", "object-store/aws.json"])
def test_definition_is_valid(name: str) -> None:
    definition = shipped(name)
    model = botocore.session.get_session().get_service_model("batch").operation_model("RegisterJobDefinition")
    report = ParamValidator().validate(definition, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    assert wrong_enums(model.input_shape, definition) == []


def matches(pattern: str, value: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def deciding_rule(definition: dict[str, Any], **outcome: str) -> dict[str, str] | None:
    """Return the rule that decides about a finished attempt: the first with only matching conditions, or None.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html
    """
    for rule in definition["retryStrategy"]["evaluateOnExit"]:
        conditions = {key: pattern for key, pattern in rule.items() if key != "action"}
        if all(key in outcome and matches(pattern, outcome[key]) for key, pattern in conditions.items()):
            found: dict[str, str] = rule
            return found
    return None


def is_retried(definition: dict[str, Any], **outcome: str) -> bool:
    """Return whether AWS Batch retries an attempt; it does if no rule matches."""
    rule = deciding_rule(definition, **outcome)
    return rule is None or rule["action"] == "RETRY"


@pytest.mark.parametrize("code", [*list(ExitCode)[1:], KILLED])
def test_only_temporary_failures_are_retried(definition: dict[str, Any], code: int) -> None:
    outcome = {"onExitCode": str(int(code)), "onStatusReason": "Essential container in task exited"}
    assert is_retried(definition, **outcome) == (code not in FINAL)


def test_rule_retries_an_attempt_on_a_reclaimed_host(definition: dict[str, Any]) -> None:
    rule = deciding_rule(definition, onStatusReason="Host EC2 (instance i-0123456789abcdef0) terminated.")
    assert rule is not None
    assert rule["action"] == "RETRY"


def test_retries_and_rules_are_within_the_limits(definition: dict[str, Any]) -> None:
    assert 2 <= definition["retryStrategy"]["attempts"] <= 10
    assert len(definition["retryStrategy"]["evaluateOnExit"]) <= 5


def test_root_is_on_a_volume_that_outlives_the_host(definition: dict[str, Any]) -> None:
    container = definition["containerProperties"]
    (mount,) = container["mountPoints"]
    (volume,) = container["volumes"]
    assert (mount["containerPath"], mount["readOnly"]) == (image_environment()["JOB_ROOT"], False)
    assert mount["sourceVolume"] == volume["name"]
    assert volume["efsVolumeConfiguration"]["transitEncryption"] == "ENABLED"  # an access point requires it


def test_variant_for_object_storage_differs_in_the_root_only(definition: dict[str, Any]) -> None:
    variant = shipped("object-store/aws.json")
    container, original = variant["containerProperties"], definition["containerProperties"]
    variables = {variable["name"]: variable["value"] for variable in container.pop("environment")}
    assert str(ObjectUrl.parse(variables.pop("JOB_ROOT").replace("BUCKET", "runs"))) == "s3://runs/mnist-job"
    assert (variables, container.pop("jobRoleArn")) == ({"AWS_REGION": "REGION", "JOB_CACHE_MAX_SIZE": "4GiB"}, "ROLE")
    assert container.pop("volumes") == [{"name": "cache", "host": {}}], "a volume of the engine, for the cache"
    del original["volumes"]
    original["mountPoints"][0]["sourceVolume"] = "cache"
    assert variant == definition


def test_gpu_is_required_by_the_command(definition: dict[str, Any]) -> None:
    command = definition["containerProperties"]["command"]
    assert command[command.index("--set") + 1] == "trainer.device=gpu"


def test_container_has_no_unneeded_rights(definition: dict[str, Any]) -> None:
    container = definition["containerProperties"]
    assert container["user"] == image_user()
    assert container["readonlyRootFilesystem"]
    assert not container["privileged"]
    assert [it["containerPath"] for it in container["linuxParameters"]["tmpfs"]] == ["/tmp"]  # noqa: S108


def local_definition(definition: dict[str, Any], image: str, root: Path) -> dict[str, Any]:
    """Replace the placeholders by values for this machine, which has no EFS and no GPU."""
    container = definition["containerProperties"]
    container["image"] = image
    container["command"] = [HERE.get(argument, argument) for argument in container["command"]]
    container["volumes"] = [
        {"name": volume["name"], "host": {"sourcePath": str(root)}} for volume in container["volumes"]
    ]
    container["resourceRequirements"] = [it for it in container["resourceRequirements"] if it["type"] != "GPU"]
    return definition


class Batch:
    """A job queue in moto with one job definition."""

    def __init__(self, definition: dict[str, Any]) -> None:
        self.client = boto3.client("batch", region_name="us-east-1")
        role = boto3.client("iam", region_name="us-east-1").create_role(RoleName="batch", AssumeRolePolicyDocument="{}")
        environment = self.client.create_compute_environment(
            computeEnvironmentName="here", type="UNMANAGED", state="ENABLED", serviceRole=role["Role"]["Arn"]
        )
        order = [{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}]
        self.client.create_job_queue(jobQueueName="queue", state="ENABLED", priority=1, computeEnvironmentOrder=order)
        self.definition = self.client.register_job_definition(**definition)["jobDefinitionArn"]
        self.command = definition["containerProperties"]["command"]

    def submit(self, *more: str) -> str:
        job = self.client.submit_job(
            jobName="mnist",
            jobQueue="queue",
            jobDefinition=self.definition,
            containerOverrides={"command": [*self.command, *more]},
        )
        return str(job["jobId"])

    def describe(self, job: str) -> dict[str, Any]:
        (described,) = self.client.describe_jobs(jobs=[job])["jobs"]
        found: dict[str, Any] = described
        return found

    def status(self, job: str) -> str:
        return str(self.describe(job)["status"])

    def exit_code(self, job: str) -> int:
        """Wait for a job to end and return its exit code, which moto has in lists of jobs only."""
        wait_until(lambda: self.status(job) in ENDED, lambda: self.status(job), seconds=180)
        status = self.status(job)
        ended = self.client.list_jobs(jobQueue="queue", jobStatus=status)["jobSummaryList"]
        (code,) = (it["container"]["exitCode"] for it in ended if it["jobId"] == job)
        assert (code == 0) == (status == "SUCCEEDED")
        return int(code)

    def log(self, job: str) -> list[dict[str, Any]]:
        """Return the log of a job in CloudWatch: one JSON object a line."""
        events = boto3.client("logs", region_name="us-east-1").get_log_events(
            logGroupName="/aws/batch/job", logStreamName=self.describe(job)["container"]["logStreamName"]
        )["events"]
        return [json.loads(event["message"]) for event in events]


@pytest.fixture
def batch(
    definition: dict[str, Any], image: str, container_root: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Batch]:
    monkeypatch.setenv("MOTO_DOCKER_NETWORK_MODE", "none")
    # The address of moto is not needed, and in a container its look-up leaves a pipe open.
    monkeypatch.setattr("moto.settings.moto_server_host", str)
    # moto does not delete the anonymous volumes of its containers.
    monkeypatch.setattr(Container, "remove", partialmethod(Container.remove, v=True))
    with mock_aws():
        yield Batch(local_definition(definition, image, container_root))


@pytest.mark.container
def test_killed_attempt_is_retried_and_resumes(batch: Batch, definition: dict[str, Any], container_root: Path) -> None:
    frequent = ("--set", "trainer.checkpoint.every_steps=20")
    killed = batch.submit(*frequent)

    def has_checkpoint() -> bool:
        assert batch.status(killed) not in ENDED, "the attempt ended before its first checkpoint"
        return any(container_root.glob("artifacts/trainer/*.partial/checkpoints/*/checkpoint.json"))

    wait_until(has_checkpoint, lambda: batch.status(killed), seconds=120)
    batch.client.terminate_job(jobId=killed, reason="reclaimed")
    assert batch.exit_code(killed) == KILLED
    assert is_retried(definition, onExitCode=str(KILLED))

    retried = batch.submit(*frequent)
    assert batch.exit_code(retried) == 0
    events = [line["event"] for line in batch.log(retried)]
    assert "resumed" in events
    assert json.loads((container_root / "runs/latest/run.json").read_text())["exit_code"] == 0
    assert len(list(container_root.glob("artifacts/*/*/manifest.json"))) == 5


@pytest.mark.container
def test_invalid_configuration_is_not_retried(batch: Batch, definition: dict[str, Any]) -> None:
    code = batch.exit_code(batch.submit("--set", "trainer.epoch=3"))
    assert code == ExitCode.USAGE
    assert not is_retried(definition, onExitCode=str(code))


@pytest.mark.container
def test_container_runs_with_the_rights_of_the_definition(
    definition: dict[str, Any], image: str, container_root: Path
) -> None:
    container = local_definition(definition, image, container_root)["containerProperties"]
    (memory,) = (it["value"] for it in container["resourceRequirements"] if it["type"] == "MEMORY")
    (volume,), (mount,) = container["volumes"], container["mountPoints"]
    with closing(docker.from_env()) as engine:
        started = engine.containers.run(
            container["image"],
            [*container["command"], "--until", "transform"],
            user=container["user"],
            read_only=container["readonlyRootFilesystem"],
            privileged=container["privileged"],
            mem_limit=f"{memory}m",
            tmpfs={
                it["containerPath"]: ",".join([*it["mountOptions"], f"size={it['size']}m"])
                for it in container["linuxParameters"]["tmpfs"]
            },
            volumes=[f"{volume['host']['sourcePath']}:{mount['containerPath']}:rw"],
            network_mode="none",
            detach=True,
        )
        try:
            assert started.wait()["StatusCode"] == 0, started.logs().decode()
        finally:
            started.remove(force=True, v=True)
    assert {path.stat().st_uid for path in container_root.glob("artifacts/*/*")} == {
        int(image_user().partition(":")[0])
    }
