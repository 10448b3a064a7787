"""Containers whose root is in object storage: no folder of the machine is needed, and another container continues."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from tests.conftest import TINY_NETWORK
from tests.support.containers import docker, make
from tests.support.object_servers import ACCESS_KEY, SECRET_KEY, Bucket
from tests.support.processes import wait_until

pytestmark = pytest.mark.container

RESTRICTED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--user", "10001:10001", "--network", "host")  # noqa: S108
"""As the batch services start it; the server is on this machine, hence the network."""
SLOW = {
    "extends": "/app/configs/digits.yaml",
    "trainer": {"network": TINY_NETWORK, "epochs": 20, "checkpoint": {"every_steps": 20}},
}


@pytest.fixture
def options(s3: Bucket, tmp_path: Path) -> tuple[str, ...]:
    """Return the options of a container without any folder of this machine but that of its configuration."""
    (tmp_path / "slow.yaml").write_text(yaml.safe_dump(SLOW))
    tmp_path.chmod(0o755)
    variables = {**s3.server.environment, "JOB_ROOT": f"{s3.url}/runs"}
    given = (part for name, value in variables.items() for part in ("--env", f"{name}={value}"))
    return (*RESTRICTED, *given, "--volume", f"{tmp_path / 'slow.yaml'}:/config/slow.yaml:ro")


def test_other_container_resumes_a_terminated_training(image: str, options: tuple[str, ...]) -> None:
    command = (image, "run", "--config", "/config/slow.yaml", "--until", "trainer")
    name = docker("run", "--detach", *options, *command).stdout.strip()
    try:
        wait_until(lambda: " 2/20" in docker("logs", name).stdout, lambda: docker("logs", name).stderr, seconds=120)
        docker("stop", "--time", 60, name)
        logged = docker("logs", name)
        assert docker("wait", name).stdout.strip() == "143", logged.stdout + logged.stderr
    finally:
        docker("rm", "--force", "--volumes", name)
    resumed = docker("run", "--rm", *options, *command)
    assert "resumed at epoch" in resumed.stdout
    for secret in (ACCESS_KEY, SECRET_KEY):
        assert secret not in logged.stdout + logged.stderr + resumed.stdout + resumed.stderr


def test_docker_run_reuses_what_another_machine_made(
    image: str, s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = []
    for machine in ("first", "second"):
        monkeypatch.setenv("JOB_CACHE", str(tmp_path / machine))
        ended = make("docker-run", f"IMAGE={image}", f"RUNS={s3.url}/runs", "NETWORK=host", "ARGS=--until transform")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        printed.append(ended.stdout)
        assert {path.lstat().st_uid for path in (tmp_path / machine).rglob("*")} == {os.getuid()}
    assert [text.count(" reused ") >= 2 for text in printed] == [False, True]
