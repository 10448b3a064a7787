"""Workers in containers with the names, user and read-only file system of an Indexed Job's pods."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from tests.conftest import TINY_NETWORK
from tests.support.containers import BackgroundContainer, docker
from tests.support.processes import results

pytestmark = pytest.mark.container

JOB, SERVICE = "digits", "workers"
SLOW = {
    "trainer": {
        "strategy": "multi_worker",
        "network": TINY_NETWORK,
        "epochs": 12,
        "patience": 12,
        "checkpoint": {"every_steps": 20},
    },
    "evaluator": {"thresholds": {}},
    "visualizer": {"use": "components.testing:FakeVisualizer"},
}


@pytest.fixture
def network() -> Iterator[str]:
    """Return a network in which each container has its own address, and nothing else is reachable."""
    name = f"mnist-job-{uuid.uuid4().hex[:8]}"
    docker("network", "create", "--internal", name)
    try:
        yield name
    finally:
        docker("network", "rm", name)


@pytest.fixture
def config(container_root: Path) -> Path:
    path = container_root.parent / "slow.yaml"
    path.write_text(yaml.safe_dump(SLOW))
    return path


def start_workers(image: str, root: Path, config: Path, network: str, stack: ExitStack) -> list[BackgroundContainer]:
    """Start two pods of an Indexed Job."""
    workers = []
    for index in range(2):
        name = f"{JOB}-{index}"
        variables = {"JOB_COMPLETION_INDEX": index, "JOB_WORKERS": 2, "JOB_WORKER_SERVICE": SERVICE}
        options = (
            *("--network-alias", f"{name}.{SERVICE}", "--hostname", name),
            *("--tmpfs", "/tmp", "--cpus", "1", "--volume", f"{config}:/config/slow.yaml:ro"),  # noqa: S108
            *(word for key, value in variables.items() for word in ("--env", f"{key}={value}")),
        )
        arguments = ("run", "--config", "/config/slow.yaml")
        worker = BackgroundContainer(image, *arguments, root=root, options=options, network=network)
        workers.append(stack.enter_context(worker))
    return workers


def test_pods_that_lose_the_network_fail_and_resume(
    image: str, container_root: Path, config: Path, network: str
) -> None:
    with ExitStack() as stack:
        workers = start_workers(image, container_root, config, network, stack)
        workers[0].wait_for_text("epoch  3/", seconds=180)
        docker("network", "disconnect", network, workers[1].id)
        assert [worker.wait() for worker in workers] == [5, 5], [worker.logs() for worker in workers]
    with ExitStack() as stack:
        workers = start_workers(image, container_root, config, network, stack)
        assert [worker.wait() for worker in workers] == [0, 0], [worker.logs() for worker in workers]
        first, second = (worker.logs() for worker in workers)
        assert "resumed at epoch" in first
        assert "worker 1 of 2: the trainer is complete" in second
    assert results(container_root)["exit_code"] == 0
