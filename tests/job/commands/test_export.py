"""`export`: write a sealed model in deployment formats, without training it again."""

import json
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from components.trainer.export import litert_int8
from components.trainer.export.export import EXPORTERS
from job import run
from job.options import ExportFormatOption
from job.store.records import RunRecord
from tests.conftest import FAKES, TINY_NETWORK, Command
from tests.job.commands.test_predict import Trained
from tests.support.processes import start


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """Return a run of fakes with a real network."""
    folder = tmp_path_factory.mktemp("trained")
    trainer = {"network": TINY_NETWORK, "epochs": 1, "batch_size": 16}
    (folder / "config.yaml").write_text(json.dumps({**FAKES, "trainer": trainer}))
    return run(folder / "config.yaml", root=folder / "root").record


@pytest.fixture
def root(trained: RunRecord, tmp_path: Path) -> Path:
    """Return a copy of the root, which a test may damage."""
    shutil.copytree(trained.config["root"], tmp_path / "root", symlinks=True)
    return tmp_path / "root"


def sealed(root: Path, slot: str) -> Path:
    (directory,) = (root / "artifacts" / slot).iterdir()
    return directory


@pytest.mark.thorough
def test_writes_exact_formats_with_the_trainers_bytes(root: Path, tmp_path: Path, mnist_job: Command) -> None:
    outcome = mnist_job("export", tmp_path / "new" / "exports", "--root", root, "--json")
    assert outcome.exit_code == 0
    stated = r"model: run [\d-]{19}[0-9a-f]{4}  trained on made-up squares  test accuracy 1.0000  .* old\n"
    assert re.fullmatch(stated, outcome.stderr)
    assert [export["format"] for export in json.loads(outcome.stdout)] == ["keras", "saved_model", "litert", "onnx"]
    written = sorted(path.name for path in (tmp_path / "new" / "exports").iterdir())
    assert written == sorted({exporter.FILE_NAME for exporter in EXPORTERS.values()} - {litert_int8.FILE_NAME})
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["exports"], "nothing else remains"
    trainer = sealed(root, "trainer")
    for path in trainer.rglob("*"):
        if path.is_file() and path.name not in ("manifest.json", "history.csv", "steps.csv"):
            again = tmp_path / "new" / "exports" / path.relative_to(trainer)
            assert again.read_bytes() == path.read_bytes(), path


def test_prints_what_it_wrote(root: Path, tmp_path: Path, mnist_job: Command) -> None:
    (tmp_path / "empty").mkdir()
    outcome = mnist_job("export", tmp_path / "empty", "--format", "litert", "--root", root)
    assert outcome.exit_code == 0
    assert f"litert       {tmp_path}/empty/model.tflite  (differs by at most" in outcome.stdout
    assert outcome.stdout.count("\n") == 1
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["model.tflite"]


def test_every_format_is_an_option() -> None:
    assert [option.value for option in ExportFormatOption] == list(EXPORTERS)


def test_existing_files_are_not_overwritten(root: Path, tmp_path: Path, mnist_job: Command) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for path, message in (
        (tmp_path / "full", "is not empty"),
        (tmp_path / "full" / "mine.txt", "is not a folder"),
        (tmp_path / "full" / "mine.txt" / "below", "cannot write to"),
    ):
        outcome = mnist_job("export", path, "--root", root)
        assert outcome.exit_code == 2
        assert message in outcome.stderr
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_damaged_model_is_not_exported(root: Path, tmp_path: Path, mnist_job: Command) -> None:
    (sealed(root, "trainer") / "model.keras").write_bytes(b"not a model")
    outcome = mnist_job("export", tmp_path / "exports", "--root", root)
    assert outcome.exit_code == 3
    assert "model.keras" in outcome.stderr
    assert not (tmp_path / "exports").exists()


def test_missing_training_images_are_an_error(root: Path, tmp_path: Path, mnist_job: Command) -> None:
    shutil.rmtree(sealed(root, "transform"))
    outcome = mnist_job("export", tmp_path / "exports", "--root", root)
    assert outcome.exit_code == 3
    assert "was trained on examples that are not in" in outcome.stderr


def test_linear_model_is_an_error(tmp_path: Path, mnist_job: Command) -> None:
    trained = Trained(tmp_path)
    outcome = mnist_job("export", tmp_path / "exports", "--root", trained.root)
    assert outcome.exit_code == 2
    assert "is linear, and has no network to export" in outcome.stderr


@pytest.mark.thorough
def test_missing_converter_is_reported_first(
    root: Path, tmp_path: Path, mnist_job: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # as if it were not installed
    outcome = mnist_job("export", tmp_path / "exports", "--format", "onnx", "--root", root)
    assert outcome.exit_code == 2
    assert "--format names onnx, but its converter is not installed: tf2onnx\n" in outcome.stderr
    assert not (tmp_path / "exports").exists()
    outcome = mnist_job("export", tmp_path / "exports", "--root", root)
    assert outcome.exit_code == 0
    assert outcome.stderr.splitlines()[1:] == ["onnx is skipped: its converter is not installed (`make extras`)"]
    assert outcome.stdout.count("\n") == 3


@pytest.mark.thorough
def test_folder_may_be_the_working_directory_or_a_link(
    root: Path, tmp_path: Path, mnist_job: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    monkeypatch.chdir(tmp_path / "here")
    for path in (".", "../link"):
        assert mnist_job("export", path, "--format", "keras", "--root", root).exit_code == 0
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["model.keras"]
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["model.keras"]


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.thorough)])
def test_interrupted_export_leaves_nothing(root: Path, tmp_path: Path, number: signal.Signals) -> None:
    with start("export", tmp_path / "exports", "--root", root) as process:
        while not list((tmp_path / "exports").glob(".export-*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143
    assert f"the job was interrupted ({number.name})" in stderr
    assert not (tmp_path / "exports").exists()


def test_remains_of_a_killed_export_are_deleted(root: Path, tmp_path: Path, mnist_job: Command) -> None:
    (tmp_path / "exports" / ".export-1" / "saved_model").mkdir(parents=True)
    assert mnist_job("export", tmp_path / "exports", "--format", "keras", "--root", root).exit_code == 0
    assert [path.name for path in (tmp_path / "exports").iterdir()] == ["model.keras"]
