"""Workers that are killed, and workers that share only a bucket."""

from pathlib import Path
from typing import Any

import pytest

from job.store.runs import Runs
from tests.conftest import Command, WriteConfig
from tests.support.job_workers import DISTRIBUTED, outputs, start_worker, tf_config
from tests.support.object_servers import Bucket

KILLED = {**DISTRIBUTED, "trainer": {"use": "tests.support.cluster_trainer:KilledClusterTrainer"}}


@pytest.mark.thorough
def test_workers_start_again_if_worker_0_is_killed(write_config: WriteConfig, tmp_path: Path) -> None:
    root, kill = tmp_path / "root", tmp_path / "kill"
    kill.touch()
    arguments = ("--config", write_config(KILLED), "--root", root)
    variables = [{**own, "KILL": str(kill)} for own in tf_config(2)]
    workers = [start_worker(own, *arguments) for own in variables]
    _, second = outputs(workers)
    assert [worker.returncode for worker in workers] == [-9, 5], second
    assert "worker 0 ended before it sealed the trainer: it was killed" in second
    workers = [start_worker(own, *arguments) for own in variables]
    first, second = outputs(workers)
    assert [worker.returncode for worker in workers] == [0, 0], first + second
    assert [step.status for step in Runs(root).read().steps] == ["reused", "reused", "ran", "ran", "ran"]
    workers = [start_worker(own, *arguments, "--no-cache", "--until", "trainer") for own in variables]
    first, second = outputs(workers)
    assert [worker.returncode for worker in workers] == [0, 0], first + second
    assert "worker 1 of 2 meets the others" in second


@pytest.mark.thorough
@pytest.mark.parametrize("caches", [("one", "two"), ("one", "one")], ids=["two machines", "one machine"])
def test_workers_share_a_bucket(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, s3: Bucket, caches: tuple[str, ...]
) -> None:
    config, root = write_config(DISTRIBUTED), f"{s3.url}/root"
    workers = [
        start_worker({**own, "JOB_CACHE": str(tmp_path / cache)}, "--config", config, "--root", root)
        for cache, own in zip(caches, tf_config(2), strict=True)
    ]
    printed = outputs(workers)
    assert [worker.returncode for worker in workers] == [0, 0], printed
    result = mnist_job("runs", "--root", root, "--json")
    runs: list[dict[str, Any]] = result.record["runs"]
    assert [run["outcome"] for run in runs] == ["succeeded"]
    again = start_worker({**tf_config(2)[1], "JOB_CACHE": str(tmp_path / "new")}, "--config", config, "--root", root)
    (text,) = outputs([again])
    assert again.returncode == 0, text
    assert "worker 1 of 2: the trainer is complete" in text
