"""`make docker-run` and `make docker-push` as a user calls them, with the documented example of an own component."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.containers import make
from tests.support.data import write_idx_folder
from tests.support.processes import REPOSITORY
from tests.support.readme import fenced_block

pytestmark = pytest.mark.container

OTHER_USER = 12345


def test_runs_own_component_and_caller_owns_the_results(image: str, tmp_path: Path) -> None:
    (tmp_path / "my_trainer.py").write_text(fenced_block("python", "class LogisticTrainer("))
    shutil.copytree(REPOSITORY / "configs", tmp_path / "configs")
    (tmp_path / "mine.yaml").write_text(fenced_block("yaml", "my_trainer:LogisticTrainer"))
    # A file in /config must not replace a module of Python.
    (tmp_path / "typing.py").write_text("raise SystemExit('imported')")
    runs = tmp_path / "new: folder, of runs"
    ended = make("docker-run", f"IMAGE={image}", f"CONFIG={tmp_path / 'mine.yaml'}", f"RUNS={runs}", "NETWORK=none")
    assert ended.returncode == 0, ended.stderr
    assert "BLESSED" in ended.stdout
    made = [runs, *runs.rglob("*")]
    assert (runs / "runs" / "latest" / "trainer" / "manifest.json").is_file()
    assert {path.lstat().st_uid for path in made} == {os.getuid()}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run it as another user")
def test_container_runs_as_the_caller(image: str, container_root: Path) -> None:
    """OTHER_USER can use the engine's socket because it is in the group of the socket."""
    socket = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
    variables = {"IMAGE": image, "CONFIG": "configs/digits.yaml", "RUNS": str(container_root), "NETWORK": "none"}
    ended = subprocess.run(
        [REPOSITORY / "docker" / "run.sh", "--set", "trainer.epochs=1", "--until", "transform"],
        env={**os.environ, **variables},
        cwd=REPOSITORY,
        user=OTHER_USER,
        group=socket.stat().st_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert {path.lstat().st_uid for path in container_root.rglob("*")} == {OTHER_USER}


def test_data_folder_is_mounted_at_data(image: str, tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path / "some data")
    ended = make(
        *("docker-run", f"IMAGE={image}", f"RUNS={tmp_path / 'runs'}", f"DATA={folder}"),
        "ARGS=--until example_gen --set 'example_gen.source={kind: idx, path: /data}'",
    )
    assert ended.returncode == 0, ended.stderr
    assert "IDX" in ended.stdout


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("CONFIG=nowhere.yaml", "error: CONFIG: nowhere.yaml is not a file"),
        ("DATA=nowhere", "error: DATA: nowhere is not a folder"),
        ("RUNS=Makefile", "error: RUNS: Makefile is not a folder"),
        ("IMAGE=mnist-job:never-built", "error: the image mnist-job:never-built does not exist"),
    ],
)
def test_variable_without_its_target_is_reported(image: str, variable: str, message: str) -> None:
    ended = make("docker-run", f"IMAGE={image}", variable)
    assert message in ended.stderr
    assert "remedy:" in ended.stderr


def test_missing_engine_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    ended = make("docker-run", "IMAGE=mnist-job:gpu")
    assert "Error 5" in ended.stderr
    assert "error: no container engine is running" in ended.stderr


def test_push_requires_a_registry() -> None:
    ended = make("docker-push", "IMAGE=mnist-job:gpu")
    assert "Error 2" in ended.stderr
    assert "names no registry" in ended.stderr
