"""AWS Batch: the shipped job definition is valid, ends and retries by the job's exit codes, and runs.

It runs in moto, which starts a real container for a job. moto knows image, command, environment and mounts; of what it
leaves out, the user, the read-only root and /tmp are tried as Amazon ECS hands them to the engine, and the retries by
the rules that AWS documents for them.
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
from tests.support.containers import image_environment, image_user
from tests.support.processes import REPOSITORY, wait_until

FINAL = {ExitCode.USAGE, ExitCode.BAD_DATA, ExitCode.NOT_BLESSED}
KILLED = 137
ENDED = ("SUCCEEDED", "FAILED")
HERE = {"configs/mnist.yaml": "configs/digits.yaml", "trainer.device=gpu": "trainer.device=cpu"}
"""What of the command is another on a machine without network and GPU."""


@pytest.fixture
def definition() -> dict[str, Any]:
    shipped: dict[str, Any] = json.loads((REPOSITORY / "configs/batch/aws.json").read_text())
    return shipped


def wrong_enums(shape: Shape, value: Any, path: str = "") -> list[str]:
    """Return where a value is none of those that the API lists, which botocore leaves to the service."""
    if isinstance(shape, StructureShape):
        return [it for key in value for it in wrong_enums(shape.members[key], value[key], f"{path}.{key}")]
    if isinstance(shape, ListShape):
        return [it for entry in value for it in wrong_enums(shape.member, entry, f"{path}[]")]
    choices = getattr(shape, "enum", [])
    return [f"{path}: {value} is none of {choices}"] if choices and value not in choices else []


def test_the_definition_is_what_the_api_takes(definition: dict[str, Any]) -> None:
    model = botocore.session.get_session().get_service_model("batch").operation_model("RegisterJobDefinition")
    report = ParamValidator().validate(definition, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    assert wrong_enums(model.input_shape, definition) == []


def matches(pattern: str, value: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def deciding_rule(definition: dict[str, Any], **outcome: str) -> dict[str, str] | None:
    """Return the rule that decides on an ended attempt: the first of which all conditions match, or None.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html
    """
    for rule in definition["retryStrategy"]["evaluateOnExit"]:
        conditions = {key: pattern for key, pattern in rule.items() if key != "action"}
        if all(key in outcome and matches(pattern, outcome[key]) for key, pattern in conditions.items()):
            found: dict[str, str] = rule
            return found
    return None


def is_retried(definition: dict[str, Any], **outcome: str) -> bool:
    """Return whether AWS Batch retries an attempt; it does where no rule matches."""
    rule = deciding_rule(definition, **outcome)
    return rule is None or rule["action"] == "RETRY"


@pytest.mark.parametrize("code", [*list(ExitCode)[1:], KILLED])
def test_an_attempt_is_retried_unless_its_exit_code_says_that_it_would_end_the_same(
    definition: dict[str, Any], code: int
) -> None:
    outcome = {"onExitCode": str(int(code)), "onStatusReason": "Essential container in task exited"}
    assert is_retried(definition, **outcome) == (code not in FINAL)


def test_an_attempt_whose_host_is_reclaimed_is_retried_by_a_rule_of_its_own(definition: dict[str, Any]) -> None:
    rule = deciding_rule(definition, onStatusReason="Host EC2 (instance i-0123456789abcdef0) terminated.")
    assert rule is not None
    assert rule["action"] == "RETRY"


def test_there_are_no_more_retries_and_rules_than_aws_batch_takes(definition: dict[str, Any]) -> None:
    assert 2 <= definition["retryStrategy"]["attempts"] <= 10
    assert len(definition["retryStrategy"]["evaluateOnExit"]) <= 5


def test_what_is_mounted_is_the_root_on_a_volume_that_outlives_the_host(definition: dict[str, Any]) -> None:
    container = definition["containerProperties"]
    (mount,) = container["mountPoints"]
    (volume,) = container["volumes"]
    assert (mount["containerPath"], mount["readOnly"]) == (image_environment()["JOB_ROOT"], False)
    assert mount["sourceVolume"] == volume["name"]
    assert volume["efsVolumeConfiguration"]["transitEncryption"] == "ENABLED"  # an access point asks for it


def test_the_gpu_that_is_paid_for_is_asked_for(definition: dict[str, Any]) -> None:
    command = definition["containerProperties"]["command"]
    assert command[command.index("--set") + 1] == "trainer.device=gpu"


def test_the_container_has_no_more_rights_than_it_needs(definition: dict[str, Any]) -> None:
    container = definition["containerProperties"]
    assert container["user"] == image_user()
    assert container["readonlyRootFilesystem"]
    assert not container["privileged"]
    assert [it["containerPath"] for it in container["linuxParameters"]["tmpfs"]] == ["/tmp"]  # noqa: S108


def filled_in(definition: dict[str, Any], image: str, root: Path) -> dict[str, Any]:
    """Fill in what the README says to replace, for this machine, which has no EFS and no GPU."""
    container = definition["containerProperties"]
    container["image"] = image
    container["command"] = [HERE.get(argument, argument) for argument in container["command"]]
    container["volumes"] = [
        {"name": volume["name"], "host": {"sourcePath": str(root)}} for volume in container["volumes"]
    ]
    container["resourceRequirements"] = [it for it in container["resourceRequirements"] if it["type"] != "GPU"]
    return definition


class Batch:
    """A job queue in moto, and a job definition to submit to it."""

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
        """Wait for a job to end, and return with what; moto gives that in lists of jobs only."""
        wait_until(lambda: self.status(job) in ENDED, lambda: self.status(job), seconds=180)
        status = self.status(job)
        ended = self.client.list_jobs(jobQueue="queue", jobStatus=status)["jobSummaryList"]
        (code,) = (it["container"]["exitCode"] for it in ended if it["jobId"] == job)
        assert (code == 0) == (status == "SUCCEEDED")
        return int(code)

    def said(self, job: str) -> list[dict[str, Any]]:
        """Return what a job wrote to CloudWatch, which is one JSON object a line."""
        events = boto3.client("logs", region_name="us-east-1").get_log_events(
            logGroupName="/aws/batch/job", logStreamName=self.describe(job)["container"]["logStreamName"]
        )["events"]
        return [json.loads(event["message"]) for event in events]


@pytest.fixture
def batch(definition: dict[str, Any], image: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Batch]:
    monkeypatch.setenv("MOTO_DOCKER_NETWORK_MODE", "none")
    # Nobody calls moto back; where the tests run in a container, asking for its address leaves a pipe open.
    monkeypatch.setattr("moto.settings.moto_server_host", str)
    # It leaves the unnamed volumes of its containers behind.
    monkeypatch.setattr(Container, "remove", partialmethod(Container.remove, v=True))
    with mock_aws():
        yield Batch(filled_in(definition, image, root))


@pytest.mark.container
def test_an_attempt_that_is_killed_is_retried_and_goes_on(batch: Batch, definition: dict[str, Any], root: Path) -> None:
    often = ("--set", "trainer.checkpoint.every_steps=20")
    killed = batch.submit(*often)

    def has_checkpoint() -> bool:
        assert batch.status(killed) not in ENDED, "it ended before there was a checkpoint"
        return any(root.glob("artifacts/trainer/*.partial/checkpoints/*/checkpoint.json"))

    wait_until(has_checkpoint, lambda: batch.status(killed), seconds=120)
    batch.client.terminate_job(jobId=killed, reason="as if reclaimed")
    assert batch.exit_code(killed) == KILLED
    assert is_retried(definition, onExitCode=str(KILLED))

    retried = batch.submit(*often)
    assert batch.exit_code(retried) == 0
    events = [line["event"] for line in batch.said(retried)]
    assert "resumed" in events
    assert json.loads((root / "runs/latest/run.json").read_text())["exit_code"] == 0
    assert len(list(root.glob("artifacts/*/*/manifest.json"))) == 5


@pytest.mark.container
def test_an_impossible_configuration_ends_the_job(batch: Batch, definition: dict[str, Any]) -> None:
    code = batch.exit_code(batch.submit("--set", "trainer.epoch=3"))
    assert code == ExitCode.USAGE
    assert not is_retried(definition, onExitCode=str(code))


@pytest.mark.container
def test_the_container_needs_no_more_than_the_definition_gives_it(
    definition: dict[str, Any], image: str, root: Path
) -> None:
    container = filled_in(definition, image, root)["containerProperties"]
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
    assert {path.stat().st_uid for path in root.glob("artifacts/*/*")} == {int(image_user().partition(":")[0])}
