"""Several workers that run one job: real processes with their own addresses and one root."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.conftest import FAKES, WriteConfig
from tests.support.cluster_trainer import tf_config
from tests.support.processes import REPOSITORY, environment

SUPPORT = "tests.support.cluster_trainer"
DISTRIBUTED = FAKES | {"trainer": {"use": f"{SUPPORT}:ClusterTrainer"}}


def start_worker(variables: dict[str, str], *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "job", "run", *map(str, arguments)],
        cwd=REPOSITORY,
        env=environment() | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start_workers(count: int, *arguments: object) -> list[subprocess.Popen[str]]:
    return [start_worker(variables, *arguments) for variables in tf_config(count)]


def outputs(workers: Sequence[subprocess.Popen[str]]) -> list[str]:
    return [worker.communicate(timeout=60)[0] for worker in workers]


def records(root: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in (root / "runs").glob("2*/run.json")]


def sealed(root: Path, slot: str) -> list[str]:
    return [path.name for path in (root / "artifacts" / slot).iterdir()]


def test_only_worker_0_has_a_run_and_writes_results(write_config: WriteConfig, tmp_path: Path) -> None:
    workers = start_workers(2, "--config", write_config(DISTRIBUTED), "--root", tmp_path / "root")
    first, second = outputs(workers)
    assert [worker.returncode for worker in workers] == [0, 0], first + second
    (record,) = records(tmp_path / "root")
    assert record["cluster"]["source"] == "TF_CONFIG"
    addresses = ", ".join(record["cluster"]["workers"])
    assert f"worker 0 of 2 found in TF_CONFIG: {addresses}" in first
    assert f"worker 1 of 2 found in TF_CONFIG: {addresses}" in second
    assert second.splitlines()[-1].startswith("worker 1 of 2: the trainer is complete")
    assert [step["status"] for step in record["steps"]] == ["ran"] * 5
    assert not [*(tmp_path / "root").rglob("*.partial")]
    assert sealed(tmp_path / "root", "trainer") == [record["steps"][2]["fingerprint"]]
