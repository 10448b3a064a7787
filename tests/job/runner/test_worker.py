"""Several workers that run one job in one root: what each runs, prints and writes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.base.hashing import file_sha256
from job.store.records import ClusterRecord, Failure
from job.store.runs import Runs
from tests.conftest import Command, CommandResult, WriteConfig, run_job_in_process
from tests.support.job_workers import DISTRIBUTED, outputs, start_worker, tf_config
from tests.support.roots import copy_root


@pytest.fixture
def config(write_config: WriteConfig) -> Path:
    return write_config(DISTRIBUTED)


def run(mnist_job: Command, config: Path, root: Path, *arguments: object) -> CommandResult:
    return mnist_job("run", "--config", config, "--root", root, *arguments)


def set_worker(monkeypatch: pytest.MonkeyPatch, index: int, count: int) -> ClusterRecord:
    """Make this process a worker; return the record of its cluster."""
    (variables,) = tf_config(count, indices=[index])
    monkeypatch.setenv("TF_CONFIG", variables["TF_CONFIG"])
    workers = json.loads(variables["TF_CONFIG"])["cluster"]["worker"]
    return ClusterRecord(workers=workers, source="TF_CONFIG")


@pytest.fixture(scope="module")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "config.yaml").write_text(yaml.safe_dump(DISTRIBUTED))
    with pytest.MonkeyPatch.context() as monkeypatch:
        set_worker(monkeypatch, 0, 1)
        result = run_job_in_process("run", "--config", folder / "config.yaml", "--root", folder / "root")
    assert result.exit_code == 0, result.stderr
    return folder / "root"


@pytest.fixture
def trained(_trained: Path, tmp_path: Path) -> Path:
    """Return a root with a finished run of a single worker."""
    return copy_root(_trained, tmp_path / "root")


def files(root: Path) -> dict[Path, str]:
    return {path: file_sha256(path) for path in root.rglob("*") if path.is_file()}


@contextmanager
def run_of_worker_0(root: Path, cluster: ClusterRecord, **fields: Any) -> Iterator[None]:
    """Provide a run in progress of worker 0, which has finished the steps of the newest run."""
    runs = Runs(root)
    newest = runs.read()
    record = runs.begin(config=newest.config, environment=newest.environment, steps=newest.steps, cluster=cluster)
    with runs.alive(record):
        runs.write(record.model_copy(update=fields))
        yield


def test_only_worker_0_has_a_run_and_writes_results(config: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    workers = [start_worker(variables, "--config", config, "--root", root) for variables in tf_config(2)]
    first, second = outputs(workers)
    assert [worker.returncode for worker in workers] == [0, 0], first + second
    (record,) = Runs(root).records().values()
    assert record.cluster is not None
    found = f"found in TF_CONFIG: {', '.join(record.cluster.workers)}"
    assert f"worker 0 of 2 {found}" in first.splitlines()
    assert second.splitlines()[0] == f"worker 1 of 2 {found}  root {root}"
    assert second.splitlines()[-1].startswith("worker 1 of 2: the trainer is complete")
    assert [step.status for step in record.steps] == ["ran"] * 5
    assert {path.name for path in root.glob("artifacts/*/*")} == {step.fingerprint for step in record.steps}


@pytest.mark.parametrize("arguments", [(), ("--only", "trainer", "--from", "latest")])
def test_worker_of_a_sealed_training_ends_at_once(
    mnist_job: Command, config: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    before = files(trained)
    set_worker(monkeypatch, 2, 3)
    result = run(mnist_job, config, trained, *arguments)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "worker 2 of 3: the trainer is complete; worker 0 runs all other steps"
    assert files(trained) == before


def test_log_of_a_worker_has_its_events(
    mnist_job: Command, config: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = set_worker(monkeypatch, 1, 2)
    result = run(mnist_job, config, trained, "--log-format", "json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    fields = {"worker": 1, "workers": [*cluster.workers], "cluster_source": "TF_CONFIG"}
    assert events[0]["event"] == "worker_started"
    assert events[0]["fields"] == {**fields, "root": str(trained)}
    assert [event["step"] for event in events[1:-1]] == ["example_gen", "transform", "trainer"]
    assert (events[-1]["event"], events[-1]["fields"]) == ("worker_finished", {"worker": 1, "last_step": "trainer"})


def test_steps_without_a_cluster_are_only_for_worker_0(
    mnist_job: Command, config: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_worker(monkeypatch, 1, 2)
    for arguments in (("--until", "transform"), ("--only", "evaluator", "--from", "latest")):
        result = run(mnist_job, config, trained, *arguments)
        assert result.stdout.splitlines()[-1] == "worker 1 of 2: nothing to do; worker 0 runs all other steps"
        assert result.exit_code == 0
    monkeypatch.delenv("TF_CONFIG")
    assert run(mnist_job, config, trained, "--only", "evaluator", "--from", "latest").exit_code == 0


def test_missing_cluster_is_exit_code_2(mnist_job: Command, config: Path, tmp_path: Path) -> None:
    result = run(mnist_job, config, tmp_path / "root")
    assert result.exit_code == 2
    assert "the environment names no workers" in result.stderr
    assert not (tmp_path / "root").exists()


def test_worker_with_another_configuration_ends_with_2(
    mnist_job: Command, config: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with run_of_worker_0(trained, set_worker(monkeypatch, 1, 2)):
        result = run(mnist_job, config, trained, "--set", "example_gen.seed=1")
    assert result.exit_code == 2
    assert "worker 0 has the example_gen " in result.stderr
    assert "the same command, configuration, code, data and libraries on all workers" in result.stderr


@pytest.mark.parametrize(("exit_code", "outcome"), [(3, "failed"), (143, "terminated")])
def test_worker_ends_with_a_permanent_failure_of_worker_0(
    mnist_job: Command, config: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, exit_code: int, outcome: str
) -> None:
    failure = Failure(component="example_gen", headline="train.gz is damaged", expected="a file", remedy="copy it")
    fields = {"steps": (), "outcome": outcome, "exit_code": exit_code, "failure": failure}
    if is_temporary := exit_code != 3:
        monkeypatch.setattr("job.runner.worker.FIRST_MESSAGE_SECONDS", 0.0)
        monkeypatch.setattr("job.reporters.console.ConsoleReporter.message", _fail_with_message)
    with run_of_worker_0(trained, set_worker(monkeypatch, 1, 2), **fields):
        result = run(mnist_job, config, trained, "--set", "example_gen.seed=1")
    assert result.exit_code == (1 if is_temporary else exit_code)
    assert ("worker 0 failed: train.gz is damaged" in result.stderr) is not is_temporary
    if is_temporary:
        assert f"it was {outcome}: train.gz is damaged" in result.stderr


def _fail_with_message(_: object, text: str) -> None:
    raise AssertionError(text)


def test_waiting_worker_ends_at_sigterm(
    mnist_job: Command, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, messages = tmp_path / "root", list[str]()

    def terminate(_: object, text: str) -> None:
        messages.append(text)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("job.reporters.console.ConsoleReporter.message", terminate)
    monkeypatch.setattr("job.runner.worker.FIRST_MESSAGE_SECONDS", 0.0)
    set_worker(monkeypatch, 1, 2)
    result = run(mnist_job, config, root)
    assert result.exit_code == 143
    assert messages == [f"waiting until worker 0 seals the example_gen in {root}, the root that all workers must share"]
    assert "the job was interrupted (SIGTERM)" in result.stderr
    assert not root.exists()


def test_sweep_and_reproduce_reject_several_workers(
    mnist_job: Command, write_config: WriteConfig, trained: Path
) -> None:
    sweep = write_config({**DISTRIBUTED, "sweep": {"trainer.seed": [0, 1]}})
    for arguments in (("sweep", "--config", sweep), ("reproduce", "latest")):
        result = mnist_job(*arguments, "--root", trained)
        assert result.exit_code == 2
        assert "several workers run the trainer together, but " in result.stderr


def test_plan_counts_the_workers(
    mnist_job: Command, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("plan", "--config", config, "--root", tmp_path / "root")
    assert "trainer      runs     first time; several workers together" in mnist_job(*arguments).stdout
    set_worker(monkeypatch, 0, 3)
    assert "trainer      runs     first time; 3 workers together" in mnist_job(*arguments).stdout
    steps = json.loads(mnist_job(*arguments, "--json").stdout)["steps"]
    assert [step["workers"] and len(step["workers"]) for step in steps] == [None, None, 3, None, None]
