"""`export`: a sealed model in further forms, without training it again."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.trainer.export.export import FORMS
from job.config.config import load_config
from job.options import ExportFormatOption
from job.runner.runner import run
from job.store.records import RunRecord
from tests.conftest import FAKES, TINY_NETWORK, Command
from tests.job.commands.test_predict import Trained
from tests.support.processes import REPOSITORY, environment


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """Return a run of fakes, but with a real network."""
    folder = tmp_path_factory.mktemp("trained")
    trainer = {"network": TINY_NETWORK, "epochs": 1, "batch_size": 16}
    (folder / "config.yaml").write_text(json.dumps({**FAKES, "trainer": trainer}))
    return run(load_config(folder / "config.yaml", root=folder / "root"))


@pytest.fixture
def root(trained: RunRecord, tmp_path: Path) -> Path:
    """Return a root that may be damaged."""
    shutil.copytree(trained.config["root"], tmp_path / "root", symlinks=True)
    return tmp_path / "root"


def sealed(root: Path, slot: str) -> Path:
    (directory,) = (root / "artifacts" / slot).iterdir()
    return directory


def test_it_writes_what_the_trainer_wrote_and_more(root: Path, tmp_path: Path, mnist_job: Command) -> None:
    outcome = mnist_job("export", tmp_path / "new" / "forms", "--root", root, "--json")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert [export["format"] for export in json.loads(outcome.stdout)] == list(FORMS)
    written = sorted(path.name for path in (tmp_path / "new" / "forms").iterdir())
    assert written == sorted(file for _, file in FORMS.values())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["forms"], "nothing is left beside it"
    trainer = sealed(root, "trainer")
    for path in trainer.rglob("*"):
        if path.is_file() and path.name not in ("manifest.json", "history.csv"):
            again = tmp_path / "new" / "forms" / path.relative_to(trainer)
            assert again.read_bytes() == path.read_bytes(), path


def test_it_says_what_it_wrote(root: Path, tmp_path: Path, mnist_job: Command) -> None:
    (tmp_path / "empty").mkdir()
    outcome = mnist_job("export", tmp_path / "empty", "--format", "litert", "--root", root)
    assert outcome.exit_code == 0
    assert f"litert       {tmp_path}/empty/model.tflite  (differs by at most" in outcome.stdout
    assert outcome.stdout.count("\n") == 1
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["model.tflite"]


def test_every_form_can_be_asked_for() -> None:
    assert [form.value for form in ExportFormatOption] == list(FORMS)


def test_what_is_in_the_way_stays(root: Path, tmp_path: Path, mnist_job: Command) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for place, says in (
        (tmp_path / "full", "there is something in"),
        (tmp_path / "full" / "mine.txt", "is not a folder"),
        (tmp_path / "full" / "mine.txt" / "below", "cannot be written to: "),
    ):
        outcome = mnist_job("export", place, "--root", root)
        assert outcome.exit_code == 2
        assert says in outcome.stderr
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_a_damaged_model_is_not_exported(root: Path, tmp_path: Path, mnist_job: Command) -> None:
    (sealed(root, "trainer") / "model.keras").write_bytes(b"not a model")
    outcome = mnist_job("export", tmp_path / "forms", "--root", root)
    assert outcome.exit_code == 3
    assert "model.keras" in outcome.stderr
    assert not (tmp_path / "forms").exists()


def test_without_the_images_it_was_trained_on_there_is_nothing_to_try_it_on(
    root: Path, tmp_path: Path, mnist_job: Command
) -> None:
    shutil.rmtree(sealed(root, "transform"))
    outcome = mnist_job("export", tmp_path / "forms", "--root", root)
    assert outcome.exit_code == 3
    assert "does not have any more" in outcome.stderr


def test_a_linear_model_is_told(tmp_path: Path, mnist_job: Command) -> None:
    trained = Trained(tmp_path)
    outcome = mnist_job("export", tmp_path / "forms", "--root", trained.root)
    assert outcome.exit_code == 2
    assert "is linear, and has no network to export" in outcome.stderr


def test_a_converter_that_is_not_installed_is_told_first(
    root: Path, tmp_path: Path, mnist_job: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.trainer.export.onnx_file.PACKAGES", ("no_such_converter",))
    outcome = mnist_job("export", tmp_path / "forms", "--format", "onnx", "--root", root)
    assert outcome.exit_code == 2
    assert "--format names onnx, but what converts to it is not installed: no_such_converter" in outcome.stderr
    assert not (tmp_path / "forms").exists()
    outcome = mnist_job("export", tmp_path / "forms", "--root", root)
    assert outcome.exit_code == 0
    assert outcome.stderr == "onnx is skipped: its converter is not installed (`make extras`)\n"
    assert outcome.stdout.count("\n") == 3


def test_the_folder_may_be_the_one_that_one_stands_in_and_a_link(
    root: Path, tmp_path: Path, mnist_job: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    monkeypatch.chdir(tmp_path / "here")
    for place in (".", "../link"):
        assert mnist_job("export", place, "--format", "keras", "--root", root).exit_code == 0
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["model.keras"]
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["model.keras"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_asked_to_end_says_so_and_leaves_nothing(root: Path, tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "job", "export", str(tmp_path / "forms"), "--root", str(root)]
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        while not list((tmp_path / "forms").glob(".making-*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 143
    assert f"the job was interrupted ({number.name})" in told
    assert not (tmp_path / "forms").exists()


def test_what_a_killed_one_left_does_not_stand_in_the_way(root: Path, tmp_path: Path, mnist_job: Command) -> None:
    (tmp_path / "forms" / ".making-1" / "saved_model").mkdir(parents=True)
    assert mnist_job("export", tmp_path / "forms", "--format", "keras", "--root", root).exit_code == 0
    assert [path.name for path in (tmp_path / "forms").iterdir()] == ["model.keras"]
