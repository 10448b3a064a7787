"""The shipped Slurm script in a real one-node cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from components import Context, Model, Stored, TransformedExamples
from components.testing import FakeTrainer
from tests.conftest import FAKES, TINY_NETWORK, WriteConfig, run_job_process
from tests.support.object_servers import Bucket
from tests.support.processes import REPOSITORY, results, wait_until
from tests.support.slurm import TWO_NODES, Cluster, SlurmJob, running_cluster

pytestmark = pytest.mark.slurm

PYTHON = {"LAUNCHER": "python", "JOB_IMAGE": sys.executable}
DOCKER_OPTIONS = (f"--cpus-per-task={min(2, os.cpu_count() or 1)}",)
"""Docker refuses more processors than the machine has."""
RETRIES = 3
SAVED = "exit code 143"
FINAL: dict[int, dict[str, Any]] = {
    2: {**FAKES, "trainer": {"use": "components.testing:FakeTrainer", "sede": 1}},
    3: {"example_gen": {"source": {"kind": "idx", "path": str(REPOSITORY / "configs")}}},
    4: {**FAKES, "evaluator": {"use": "components.testing:FakeEvaluator", "accuracy": 0.5}},
}
BROKEN = {**FAKES, "trainer": {"use": "tests.cluster.test_slurm:BrokenTrainer"}}


def waiting(endings: int = 1, *, fails: bool = False) -> dict[str, Any]:
    """Return a configuration with a trainer that waits for termination requests, and can then fail once."""
    trainer = {"use": "tests.support.slurm:WaitingTrainer", "endings": endings, "fails": fails}
    return {**FAKES, "trainer": trainer}


REAL_DATA: dict[str, Any] = {"example_gen": {"source": {"kind": "digits"}}, "transform": {}}
TWO = ("--ntasks=2", "--cpus-per-task=1")


def stub(folder: Path, script: str) -> dict[str, str]:
    """Return variables with which the job is a script that then waits for SIGTERM, and exits a second later.

    A task that handles SIGTERM has a file `handles-` with its number in the folder.
    """
    program = folder / "python"
    program.write_text(f"""#!/bin/sh
        SLURM_RESTART_COUNT=${{SLURM_RESTART_COUNT:-0}}
        trap 'sleep 1; echo terminated; exit 143' TERM
        touch {folder}/handles-$SLURM_PROCID
        {script}
        echo started
        while :; do sleep 0.1; done
    """)
    program.chmod(0o755)
    return {"LAUNCHER": "python", "JOB_IMAGE": str(program)}


class BrokenTrainer(FakeTrainer):
    """Has a bug."""

    def run(self, context: Context, /, *, transformed: Stored[TransformedExamples]) -> Model:  # noqa: ARG002
        raise ZeroDivisionError


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


Submit = Callable[..., SlurmJob]


@pytest.fixture
def submit(cluster: Cluster, tmp_path: Path, write_config: WriteConfig) -> Iterator[Submit]:
    """Return a function that submits the script with a configuration and options of sbatch, run by this Python."""

    def command(config: dict[str, Any], *options: str) -> SlurmJob:
        return cluster.submit(tmp_path, "run", "--config", write_config(config), variables=PYTHON, options=options)

    yield command
    cluster.stop_jobs()


def interrupt_training(job: SlurmJob) -> None:
    """Send SIGTERM to a training, as Slurm does before the time limit, and start it again immediately."""
    job.wait_for_text("epoch  2/30", seconds=120)
    job.cluster.run("scancel", "--signal=TERM", job.number)
    job.wait_for_requeue()
    job.hurry()


@pytest.mark.thorough
def test_terminated_training_resumes_from_its_checkpoint(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    job = cluster.submit(tmp_path, variables=PYTHON)
    interrupt_training(job)
    assert job.end(seconds=120) == ("COMPLETED", "0:0"), job.describe()
    assert SAVED in job.output
    assert "resumed at epoch" in job.output
    undisturbed = run_job_process("run", "--config", "configs/digits.yaml", "--root", tmp_path / "undisturbed")
    assert undisturbed.exit_code == 0
    assert results(tmp_path / "output") == results(tmp_path / "undisturbed")


@pytest.mark.container
def test_training_in_a_container_resumes_too(cluster: Cluster, tmp_path: Path, image: str) -> None:
    root, own = tmp_path / "root", tmp_path / "own"
    own.mkdir()
    (own / "mine.yaml").write_text("extends: /app/configs/digits.yaml\nseed: 3\n")
    job = cluster.submit(
        tmp_path,
        *("run", "--config", "/config/mine.yaml"),
        options=DOCKER_OPTIONS,
        variables={"LAUNCHER": "docker", "JOB_IMAGE": image, "JOB_CONFIG": str(own), "JOB_ROOT": str(root)},
    )
    interrupt_training(job)
    assert job.end(seconds=120) == ("COMPLETED", "0:0"), job.describe()
    assert SAVED in job.output
    assert "resumed at epoch" in job.output
    assert (root / "runs" / "latest" / "run.json").stat().st_uid == os.getuid()


@pytest.mark.parametrize("code", [2, *(pytest.param(code, marks=pytest.mark.thorough) for code in (3, 4))])
def test_permanent_failure_is_not_retried(submit: Submit, code: int) -> None:
    job = submit(FINAL[code])
    assert job.end() == ("FAILED", f"{code}:0"), job.describe()
    assert job.status["Restarts"] == "0"


def test_unknown_launcher_exits_with_2(cluster: Cluster, tmp_path: Path) -> None:
    job = cluster.submit(tmp_path, variables={"LAUNCHER": "podman"})
    assert job.end() == ("FAILED", "2:0"), job.describe()
    assert "podman" in job.output


@pytest.mark.thorough
def test_array_processes_a_sweep_and_evaluates_one_winner(
    cluster: Cluster, tmp_path: Path, write_config: WriteConfig
) -> None:
    config = write_config({**FAKES, "sweep": {"trainer.saved_model": [False, True], "seed": [0, 1]}})
    job = cluster.submit(tmp_path, "sweep", "--config", config, variables=PYTHON, options=("--array=0-1",))
    job.wait_until_gone()
    logs = [path.read_text() for path in tmp_path.glob("mnist-job-*.out")]
    assert len(logs) == 2, logs
    (folder,) = (tmp_path / "output" / "sweeps").iterdir()
    trials = [json.loads(path.read_text()) for path in sorted(folder.glob("trials/*.json"))]
    assert [trial["state"] for trial in trials] == ["finished"] * 4, logs
    records = [json.loads(path.read_text()) for path in (tmp_path / "output" / "runs").glob("2*/run.json")]
    assert len(records) == 5, "each trial ran once, and the winner was evaluated once"
    assert sum(bool(record["metrics"]) for record in records) == 1


@pytest.mark.thorough
def test_terminated_tasks_of_an_array_resume(cluster: Cluster, tmp_path: Path, write_config: WriteConfig) -> None:
    config = write_config({**waiting(), "sweep": {"seed": [0, 1]}})
    job = cluster.submit(tmp_path, "sweep", "--config", config, variables=PYTHON, options=("--array=0-1",))
    trained = tmp_path / "output" / "artifacts" / "trainer"
    wait_until(lambda: len([*trained.glob("*.partial/checkpoints")]) == 2, job.describe, seconds=60)
    tasks = [SlurmJob(cluster, f"{job.number}_{index}", job.log) for index in (0, 1)]
    for task in tasks:
        cluster.run("scancel", "--signal=TERM", task.number)
    for task in tasks:
        task.wait_for_requeue()
        task.hurry()
    for task in tasks:
        assert task.end() == ("COMPLETED", "0:0"), task.describe()
    assert len([*tmp_path.glob("output/sweeps/*/winner.json")]) == 1


@pytest.mark.thorough
def test_array_with_gaps_exits_with_2(cluster: Cluster, tmp_path: Path) -> None:
    job = cluster.submit(tmp_path, "sweep", variables=PYTHON, options=("--array=1",))
    job.wait_until_gone()
    (log,) = tmp_path.glob("mnist-job-*.out")
    assert "--array=0-3" in log.read_text()


@pytest.mark.thorough
def test_cancelled_job_saves_progress_and_stays_cancelled(submit: Submit, cluster: Cluster) -> None:
    job = submit(waiting())
    job.wait_for_text("ended 0 times")
    cluster.run("scancel", job.number)
    job.wait_for_text(SAVED)
    job.wait_until_gone()
    assert job.status["JobState"] == "CANCELLED", job.describe()


@pytest.mark.container
def test_cancelled_job_in_a_container_saves_progress_too(
    cluster: Cluster, tmp_path: Path, image: str, write_config: WriteConfig
) -> None:
    write_config(waiting())
    variables = {"LAUNCHER": "docker", "JOB_IMAGE": image, "JOB_ROOT": ".", "JOB_CONFIG": str(REPOSITORY)}
    command = ("run", "--config", "/output/config.yaml")
    job = cluster.submit(tmp_path, *command, options=DOCKER_OPTIONS, variables=variables)
    job.wait_for_text("ended 0 times")
    cluster.run("scancel", job.number)
    job.wait_until_gone()
    assert SAVED in job.output, job.describe()
    listed = subprocess.run(
        ["docker", "ps", "--all", "--quiet", f"--filter=name=mnist-job-{job.number}$"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not listed.stdout


@pytest.mark.thorough
def test_two_tasks_train_together_and_resume(cluster: Cluster, tmp_path: Path, write_config: WriteConfig) -> None:
    trainer = {"strategy": "multi_worker", "network": TINY_NETWORK, "epochs": 30, "patience": 30, "exports": []}
    job = cluster.submit(
        tmp_path,
        *("run", "--config", write_config({**FAKES, **REAL_DATA, "trainer": trainer})),
        variables=PYTHON,
        options=TWO,
    )
    job.wait_for_text("epoch  2/30", seconds=240)
    cluster.run("scancel", "--signal=TERM", job.number)
    job.wait_for_requeue()
    stopped = [line for line in job.output.splitlines() if line.endswith("its progress is saved")]
    assert len(stopped) == 2, job.describe()
    assert len({*stopped}) == 1, "at the same step"
    job.hurry()
    assert job.end(seconds=240) == ("COMPLETED", "0:0"), job.describe()
    assert job.output.count("resumed at epoch") == 2
    record = json.loads((tmp_path / "output" / "runs" / "latest" / "run.json").read_text())
    assert record["cluster"]["source"] == "Slurm"
    assert len({*record["cluster"]["workers"]}) == 2


@pytest.mark.thorough
@pytest.mark.parametrize("failing", [0, 1])
def test_failed_task_ends_the_others_with_its_exit_code(cluster: Cluster, tmp_path: Path, failing: int) -> None:
    fail = f"until [ -e {tmp_path}/handles-{1 - failing} ]; do sleep 0.1; done; exit 3"
    script = f"[ $SLURM_PROCID != {failing} ] || {{ {fail}; }}"
    job = cluster.submit(tmp_path, variables=stub(tmp_path, script), options=TWO)
    assert job.end() == ("FAILED", "3:0"), job.describe()
    assert job.output.count("terminated") == 1
    assert not list((tmp_path / "output").glob(".slurm-*"))


@pytest.mark.thorough
def test_tasks_that_are_terminated_are_requeued_together(cluster: Cluster, tmp_path: Path) -> None:
    job = cluster.submit(tmp_path, variables=stub(tmp_path, "[ $SLURM_RESTART_COUNT = 0 ] || exit 0"), options=TWO)
    wait_until(lambda: job.output.count("started") == 2, job.describe, seconds=60)
    cluster.run("scancel", "--signal=TERM", job.number)
    job.wait_for_requeue()
    job.hurry()
    assert job.end() == ("COMPLETED", "0:0"), job.describe()
    assert job.output.count("terminated") == 2, "no task was killed"


@pytest.mark.thorough
def test_containers_get_the_variables_of_their_task(cluster: Cluster, tmp_path: Path) -> None:
    stub(tmp_path, 'echo "task $APPTAINERENV_SLURM_PROCID of $APPTAINERENV_SLURM_STEP_TASKS_PER_NODE"; exit 0')
    (tmp_path / "python").rename(tmp_path / "apptainer")
    job = cluster.submit(tmp_path, variables={"PATH": f"{tmp_path}:{cluster.environment['PATH']}"}, options=TWO)
    assert job.end() == ("COMPLETED", "0:0"), job.describe()
    assert sorted(line for line in job.output.splitlines() if "task" in line) == ["task 0 of 2", "task 1 of 2"]


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of two nodes, each with another folder `tmp`."""
    if os.getuid() != 0:
        pytest.skip("needs root, for a second host name")
    folder = tmp_path_factory.mktemp("two-nodes")
    (folder / "tmp").mkdir()
    with running_cluster(folder, nodes=TWO_NODES) as running:
        yield running


@pytest.mark.thorough
def test_every_node_has_the_temporary_folder_of_the_job(two_nodes: Cluster, tmp_path: Path) -> None:
    temporary = two_nodes.folder / "tmp"
    variables = stub(tmp_path, "cd $JOB_CACHE; echo $SLURMD_NODENAME $(pwd) $(stat --format=%a ..); exit 0")
    variables |= {"JOB_ROOT": "s3://bucket/runs", "TMPDIR": str(temporary)}
    job = two_nodes.submit(tmp_path, variables=variables, options=(*TWO, "--nodes=2"))
    assert job.end() == ("COMPLETED", "0:0"), job.describe()
    lines = [line.split() for line in sorted(job.output.splitlines()) if line.startswith("node")]
    nodes = [node for node, *_ in lines]
    assert nodes == ["node1", "node2"], job.output
    assert {(Path(folder).parents[1], mode) for _, folder, mode in lines} == {(temporary, "700")}
    left = [two_nodes.run("srun", f"--nodelist={node}", "ls", str(temporary)) for node in nodes]
    assert left == ["", ""]


@pytest.mark.thorough
def test_temporary_folder_of_another_user_ends_all_tasks(two_nodes: Cluster, tmp_path: Path) -> None:
    occupied = two_nodes.folder / "tmp" / "occupied"
    two_nodes.run("srun", "--nodelist=node2", "install", "--directory", "--owner=65534", str(occupied))
    mktemp = tmp_path / "mktemp"
    mktemp.write_text(f"#!/bin/sh\nmkdir -m 700 {occupied} && echo {occupied}\n")
    mktemp.chmod(0o755)
    variables = {**stub(tmp_path, ""), "PATH": f"{tmp_path}:{two_nodes.environment['PATH']}"}
    job = two_nodes.submit(tmp_path, variables=variables, options=(*TWO, "--nodes=2"))
    job.wait_for_requeue()
    assert f"node2: cannot create {occupied}, or another user owns it" in job.output
    assert job.output.count("occupied") == 1, job.output
    two_nodes.run("scancel", job.number)


@pytest.mark.thorough
def test_missing_resource_is_retried(cluster: Cluster, tmp_path: Path) -> None:
    job = cluster.submit(tmp_path, variables=stub(tmp_path, "exit $((5 - 5 * SLURM_RESTART_COUNT))"))
    job.wait_for_requeue()
    job.hurry()
    assert job.end() == ("COMPLETED", "0:0"), job.describe()


@pytest.mark.thorough
def test_docker_with_several_tasks_exits_with_2(cluster: Cluster, tmp_path: Path) -> None:
    job = cluster.submit(tmp_path, variables={"LAUNCHER": "docker"}, options=TWO)
    assert job.end() == ("FAILED", "2:0"), job.describe()
    assert "--ntasks=2" in job.output


@pytest.mark.thorough
def test_jobs_share_a_root_without_a_shared_folder(
    cluster: Cluster, s3: Bucket, tmp_path: Path, write_config: WriteConfig
) -> None:
    config = write_config(FAKES)
    variables = {**PYTHON, **s3.server.environment, "JOB_ROOT": f"{s3.url}/runs"}
    jobs = []
    for _ in range(2):  # each has a cache of its own
        jobs.append(cluster.submit(tmp_path, "run", "--config", config, variables=variables))
        assert jobs[-1].end() == ("COMPLETED", "0:0"), jobs[-1].describe()
    assert [job.output.count(" reused ") >= len(FAKES) for job in jobs] == [False, True]
    assert {path.name for path in tmp_path.iterdir()} == {config.name, *(job.log.name for job in jobs)}


@pytest.mark.thorough
def test_internal_error_is_retried_a_few_times(submit: Submit) -> None:
    job = submit(BROKEN)
    for restarts in range(1, RETRIES + 1):
        job.wait_for_requeue(restarts)
        job.hurry()
    assert job.end() == ("FAILED", "1:0"), job.describe()
    assert job.status["Restarts"] == str(RETRIES)


@pytest.mark.thorough
def test_terminations_do_not_count_as_failures(submit: Submit, cluster: Cluster) -> None:
    job = submit(waiting(RETRIES + 1, fails=True))
    for restarts in range(RETRIES + 1):
        job.wait_for_text(f"ended {restarts} times")
        cluster.run("scancel", "--signal=TERM", job.number)
        job.wait_for_requeue(restarts + 1)
        job.hurry()
    job.wait_for_requeue(RETRIES + 2)
    job.hurry()
    assert job.end() == ("COMPLETED", "0:0"), job.describe()
    assert not list((job.log.parent / "output").glob(".slurm-*"))


@pytest.mark.thorough
def test_job_resumes_after_its_time_limit(submit: Submit, cluster: Cluster) -> None:
    job = submit(waiting())
    job.wait_for_text("ended 0 times")
    cluster.run("scontrol", "update", f"JobId={job.number}", "TimeLimit=1")
    job.wait_for_requeue()  # Slurm checks time limits every 30 s
    job.hurry()
    assert job.end() == ("COMPLETED", "0:0"), job.describe()
    assert "ended 1 times" in job.output


@pytest.mark.thorough
@pytest.mark.parametrize("partition", ["batch", "graceful"])
def test_preempted_job_resumes(submit: Submit, cluster: Cluster, partition: str) -> None:
    job = submit(waiting(), f"--partition={partition}")
    job.wait_for_text("ended 0 times")
    urgent = ("--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    number = cluster.run("sbatch", "--parsable", *urgent).strip()
    job.wait_for_requeue()
    assert SlurmJob(cluster, number, job.log).end() == ("COMPLETED", "0:0")
    job.hurry()
    assert job.end() == ("COMPLETED", "0:0"), job.describe()
    assert "ended 1 times" in job.output
    assert job.status["Restarts"] == "1"
