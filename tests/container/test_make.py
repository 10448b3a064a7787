"""`make docker-run` as a user calls it, with the README's own example of a swapped component."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.containers import make
from tests.support.data import write_idx_folder
from tests.support.processes import REPOSITORY
from tests.test_readme import block

pytestmark = pytest.mark.container

SOMEBODY = 12345


def test_it_runs_ones_own_component_and_leaves_the_results_to_the_caller(image: str, tmp_path: Path) -> None:
    (tmp_path / "my_trainer.py").write_text(block("python", "class LogisticTrainer("))
    shutil.copytree(REPOSITORY / "configs", tmp_path / "configs")
    (tmp_path / "mine.yaml").write_text(block("yaml", "my_trainer:LogisticTrainer"))
    # What may be in /config must not stand in for what Python brings.
    (tmp_path / "typing.py").write_text("raise SystemExit('imported')")
    runs = tmp_path / "not: there, yet"
    ended = make("docker-run", f"IMAGE={image}", f"CONFIG={tmp_path / 'mine.yaml'}", f"RUNS={runs}", "NETWORK=none")
    assert ended.returncode == 0, ended.stderr
    assert "BLESSED" in ended.stdout
    made = [runs, *runs.rglob("*")]
    assert (runs / "runs" / "latest" / "trainer" / "manifest.json").is_file()
    assert {path.lstat().st_uid for path in made} == {os.getuid()}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can call it as somebody else")
def test_it_runs_as_whoever_calls_it(image: str, root: Path) -> None:
    """The socket of the engine is opened to SOMEBODY by its group."""
    socket = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
    ended = subprocess.run(
        [REPOSITORY / "docker" / "run.sh", "--set", "trainer.epochs=1", "--until", "transform"],
        env={**os.environ, "IMAGE": image, "CONFIG": "configs/digits.yaml", "RUNS": str(root), "NETWORK": "none"},
        cwd=REPOSITORY,
        user=SOMEBODY,
        group=socket.stat().st_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert {path.lstat().st_uid for path in root.rglob("*")} == {SOMEBODY}


def test_data_is_mounted_where_the_configuration_finds_it(image: str, tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path / "some data")
    ended = make(
        *("docker-run", f"IMAGE={image}", f"RUNS={tmp_path / 'runs'}", f"DATA={folder}"),
        "ARGS=--until example_gen --set 'example_gen.source={kind: idx, path: /data}'",
    )
    assert ended.returncode == 0, ended.stderr
    assert "IDX" in ended.stdout


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("CONFIG=nowhere.yaml", "error: CONFIG: nowhere.yaml is not a file"),
        ("DATA=nowhere", "error: DATA: nowhere is not a folder"),
        ("RUNS=Makefile", "error: RUNS: Makefile is not a folder"),
        ("IMAGE=mnist-job:never-built", "error: there is no image mnist-job:never-built"),
    ],
)
def test_a_variable_that_names_nothing_is_told(image: str, variable: str, told: str) -> None:
    ended = make("docker-run", f"IMAGE={image}", variable)
    assert told in ended.stderr
    assert "remedy:" in ended.stderr


def test_without_an_engine_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    ended = make("docker-run", "IMAGE=mnist-job:gpu")
    assert "Error 5" in ended.stderr
    assert "error: no container engine answers" in ended.stderr


def test_push_wants_a_registry() -> None:
    ended = make("docker-push", "IMAGE=mnist-job:gpu")
    assert "Error 2" in ended.stderr
    assert "names no registry" in ended.stderr
