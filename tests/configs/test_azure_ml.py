"""Azure ML: the shipped job is valid by the SDK, without credentials or network, and its container runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from marshmallow import ValidationError

from components.object_storage import ObjectUrl
from tests.support.containers import docker, image_environment
from tests.support.processes import REPOSITORY

pytestmark = pytest.mark.thorough  # importing the SDK takes seconds

SHIPPED = REPOSITORY / "configs/batch/azure-ml.yaml"
HOST = "ACCOUNT.file.core.windows.net"
QUICK = "--set trainer.epochs=1 --set evaluator.thresholds.accuracy.minimum=0.1"


def request_properties(path: Path) -> dict[str, Any]:
    """Return the properties that `az ml job create` sends for a file."""
    from azure.ai.ml import load_job  # takes a second: not while tests are collected

    job = load_job(path)
    validation = job._validate()
    assert validation.passed, validation.error_messages
    properties: dict[str, Any] = job._to_job()._to_rest_object().as_dict()["properties"]
    return properties


@pytest.fixture
def job() -> dict[str, Any]:
    return request_properties(SHIPPED)


@pytest.fixture
def mount(job: dict[str, Any]) -> str:
    """Return the mount of the root, the only argument for the engine."""
    (argument,) = job["resources"]["dockerArgsList"]
    found: str = argument
    return found


def test_unknown_key_is_reported(tmp_path: Path) -> None:
    wrong = tmp_path / "job.yaml"
    wrong.write_text(SHIPPED.read_text().replace("docker_args:", "docker_arguments:"))
    with pytest.raises(ValidationError, match="docker_arguments"):
        request_properties(wrong)


def test_one_machine_runs_the_image_for_a_limited_time(job: dict[str, Any]) -> None:
    assert job["environmentId"].image == "IMAGE"
    assert job["environmentId"].conda_file is None
    assert job["computeId"] == "CLUSTER"
    assert job["resources"]["instanceCount"] == 1
    assert job["limits"]["timeout"] == "PT1H"


def test_no_files_are_on_mounted_blobs(job: dict[str, Any], mount: str) -> None:
    assert (job["inputs"], job["outputs"]) == ({}, {})
    assert f"destination={image_environment()['JOB_ROOT']}," in mount
    assert "volume-opt=type=nfs," in mount


def test_variant_for_object_storage_differs_in_the_root_only(job: dict[str, Any]) -> None:
    variant = request_properties(SHIPPED.parent / "object-store/azure-ml.yaml")
    variables = variant.pop("environmentVariables")
    assert variables.pop("AZURE_STORAGE_ACCOUNT_NAME") == "ACCOUNT"
    assert variables == {"JOB_ROOT": "az://CONTAINER/mnist-job", "JOB_CACHE_MAX_SIZE": "4GiB"}
    assert str(ObjectUrl.parse(variables["JOB_ROOT"].replace("CONTAINER", "runs"))) == "az://runs/mnist-job"
    del job["resources"]["dockerArgsList"]
    job.pop("environmentVariables", None)
    assert variant.pop("environmentId").image == job.pop("environmentId").image
    assert variant == job


@pytest.mark.container
def test_command_runs_in_a_shell_and_another_directory(job: dict[str, Any], image: str, container_root: Path) -> None:
    command = job["command"].replace("mnist.yaml", "digits.yaml").replace("device=gpu", "device=cpu")
    docker(
        *("run", "--rm", "--network", "none", "--volume", f"{container_root}:/output"),
        *("--workdir", "/tmp", "--entrypoint", "bash", image, "-c", f"{command} {QUICK}"),  # noqa: S108
    )
    assert json.loads((container_root / "runs/latest/run.json").read_text())["exit_code"] == 0


@pytest.mark.container
def test_engine_mounts_the_share_with_the_options_of_azure(mount: str, image: str) -> None:
    # There is no share on this machine: the error message of the engine contains the attempted mount.
    refused = docker("run", "--rm", "--network", "none", mount.replace(HOST, "127.0.0.1"), image, "--help", check=False)
    assert refused.returncode == 125
    assert "failed to mount local volume: mount :/ACCOUNT/SHARE:" in refused.stderr
    assert "data: addr=127.0.0.1,vers=4,minorversion=1,sec=sys" in refused.stderr
