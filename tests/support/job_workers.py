"""Workers on this machine that run one job together: processes with different ports."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from tests.conftest import FAKES
from tests.support.ports import free_ports
from tests.support.processes import REPOSITORY, environment
from tests.support.warm_python import WarmPython

DISTRIBUTED = {**FAKES, "trainer": {"use": "tests.support.cluster_trainer:ClusterTrainer"}}


def tf_config(count: int, *, indices: Sequence[int] | None = None) -> list[dict[str, str]]:
    """Return the environment of each of several workers, with free ports."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(count)]
    tasks: list[dict[str, Any]] = [{"type": "worker", "index": index} for index in indices or range(count)]
    return [{"TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": task})} for task in tasks]


def start_worker(variables: dict[str, str], *arguments: object) -> subprocess.Popen[str]:
    """Start `run` with further variables in its environment."""
    return WarmPython("job", "run", *map(str, arguments), environment=environment() | variables, folder=REPOSITORY)


def outputs(workers: Sequence[subprocess.Popen[str]]) -> list[str]:
    """Wait for workers, and return what each has printed on standard output and error."""
    return ["".join(worker.communicate(timeout=180)) for worker in workers]
