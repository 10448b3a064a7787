"""Faults of engines during a run: signals, memory, and a lost scheduler; the same command continues."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.components.runtime.test_child_process import is_running
from tests.conftest import FAKES, WriteConfig, run_job_process
from tests.faults.test_starvation import MEGABYTE, memory_limit
from tests.support.components import TaskTrainer
from tests.support.dask_cluster import DaskCluster
from tests.support.processes import REPOSITORY, environment, start, wait_until

pytestmark = pytest.mark.thorough


@pytest.fixture
def arguments(
    write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> list[object]:
    """Return a command whose trainer runs the task that is the parameter."""
    config = write_config(FAKES | {"trainer": {"use": f"{TaskTrainer.__module__}:TaskTrainer"}})
    monkeypatch.setenv("TASK", request.param)
    monkeypatch.setenv("FOLDER", str(tmp_path))
    return ["run", "--config", config, "--root", tmp_path / "root", "--until", "trainer"]


def running_tasks(folder: Path) -> list[int]:
    return [int(file.name) for file in folder.glob("[0-9]*")]


@pytest.mark.parametrize("arguments", ["sleep_once"], indirect=True)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_no_process_outlives_the_run(
    arguments: list[object], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with start(*arguments, "--set", "engine.workers=2") as job:
        wait_until(lambda: len(running_tasks(tmp_path)) == 2, lambda: "no task started", seconds=90)
        job.send_signal(number)
        _, errors = job.communicate(timeout=60)
    assert job.returncode == code, errors
    processes = running_tasks(tmp_path)
    wait_until(lambda: not any(map(is_running, processes)), lambda: "a process still runs", seconds=20)
    for task in range(8):
        (tmp_path / f"task-{task}").touch()
    assert run_job_process(*arguments).exit_code == 0


@pytest.mark.parametrize("arguments", ["allocate_forever"], indirect=True)
def test_out_of_memory_kills_tasks_and_not_the_job(arguments: list[object], tmp_path: Path) -> None:
    with memory_limit(1500 * MEGABYTE) as processes:
        script = f'echo $$ > {processes}; exec "$@"'  # the shell joins the group, and is replaced by the job
        ended = subprocess.run(
            ["sh", "-c", script, "sh", sys.executable, "-m", "job", *map(str, arguments), "--set", "engine.workers=2"],
            cwd=REPOSITORY,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ended.returncode == 5, (ended.stdout, ended.stderr)
    assert "the process of a task ended 3 times before the task was complete (signal 9)" in ended.stderr
    (tmp_path / "enough").touch()
    assert run_job_process(*arguments).exit_code == 0


@pytest.mark.parametrize("arguments", ["sleep_once"], indirect=True)
def test_the_same_command_continues_after_a_lost_scheduler(arguments: list[object], tmp_path: Path) -> None:
    with DaskCluster(tmp_path / "dask") as cluster:
        arguments += ["--set", "engine.kind=dask", "--set", f"engine.address={cluster.address}"]
        with start(*arguments) as job:
            wait_until(lambda: len(running_tasks(tmp_path)) == 2, lambda: "no task started", seconds=90)
            cluster.scheduler.kill()
            _, errors = job.communicate(timeout=60)
        assert job.returncode == 5
        assert "cannot be reached" in errors
        assert "Traceback" not in errors, errors
    for task in range(8):
        (tmp_path / f"task-{task}").touch()
    with DaskCluster(tmp_path / "dask", port=int(cluster.address.rpartition(":")[2])):
        ended = run_job_process(*arguments)
    assert ended.exit_code == 0, ended.stderr
