"""Data that change while a step reads them: the step fails, and nothing is sealed under their old identity."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components import Context
from components.example_gen.sources import CsvSource, IdxSource, ImageFolderSource
from components.example_gen.sources.base import Dataset, SourceConfig
from tests.conftest import FAKES, Command, WriteConfig
from tests.support.cases import parametrize_sample
from tests.support.components import EpochsTrainer
from tests.support.data import write_csv, write_idx_folder, write_image_folder

CHANGED = "the data changed while they were read: example_gen source."


def relink(data: Path) -> None:
    """Let the link to the data name another folder, as a release by links does."""
    (data.parent / "new").symlink_to(write_image_folder(data.parent / "other", per_class=21))
    (data.parent / "new").replace(data)


def write_last_byte(path: Path, byte: bytes) -> None:
    """Change a byte in place, and set the time of the change back."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(byte)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def overwrite(data: Path) -> None:
    write_last_byte(next(path for path in sorted(data.rglob("*images*")) if path.is_file()), b"\x07")


def add_file(data: Path) -> None:
    shutil.copy(data / "0" / "0.png", data / "0" / "copy.png")


def replace(data: Path) -> None:
    write_csv(data.with_suffix(".new"), count=200, seed=1).replace(data)


def unlink(data: Path) -> None:
    data.unlink()


def linked_folder(tmp_path: Path) -> Path:
    (tmp_path / "data").symlink_to(write_image_folder(tmp_path / "pictures", per_class=20))
    return tmp_path / "data"


def image_folder(tmp_path: Path) -> Path:
    return write_image_folder(tmp_path / "data", per_class=20)


def idx_folder(tmp_path: Path) -> Path:
    return write_idx_folder(tmp_path / "data")


def csv_file(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "data.csv", count=200)


@parametrize_sample(
    1,
    ("source", "make", "change", "message"),
    [
        (ImageFolderSource, linked_folder, relink, CHANGED + "train "),
        pytest.param(ImageFolderSource, image_folder, add_file, CHANGED + "train ", marks=pytest.mark.thorough),
        (IdxSource, idx_folder, overwrite, CHANGED + "test images "),
        pytest.param(CsvSource, csv_file, replace, CHANGED + "train ", marks=pytest.mark.thorough),
        pytest.param(CsvSource, csv_file, unlink, "data.csv does not exist", marks=pytest.mark.thorough),
    ],
)
def test_source_that_changes_while_it_is_read_is_refused(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: type[SourceConfig],
    make: Callable[[Path], Path],
    change: Callable[[Path], None],
    message: str,
) -> None:
    data, load = make(tmp_path), source.load
    kind = source.model_fields["kind"].default
    config = write_config({"example_gen": {"source": {"kind": kind, "path": str(data)}}})
    arguments = ("run", "--config", config, "--root", tmp_path / "root", "--until", "example_gen", "--json")

    def changed_before(self: SourceConfig, context: Context, scratch: Path) -> Dataset:
        if change is not unlink:
            change(data)
        dataset = load(self, context, scratch)
        if change is unlink:
            change(data)
        return dataset

    with monkeypatch.context() as patched:
        patched.setattr(source, "load", changed_before)
        refused = mnist_job(*arguments)
    assert refused.exit_code == 3
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.record["outcome"] == "failed"
    assert not list((tmp_path / "root/artifacts/example_gen").iterdir()), "nothing sealed, and nothing left"
    if change is not unlink:
        done = mnist_job(*arguments)
        assert done.exit_code == 0, done.stderr
        manifest = json.loads((tmp_path / "root/runs/latest/example_gen/manifest.json").read_text())
        recipe = manifest["producer"]["config"]["source"]
        assert (
            manifest["artifact"]["source"]["identity"].items() >= {k: recipe[k] for k in recipe if k != "kind"}.items()
        )


def overwrite_in_place(inputs: Path) -> None:
    write_last_byte(inputs / "train.npy", b"\x40")


def replace_file(inputs: Path) -> None:
    shutil.copy(inputs / "validation.npy", inputs / "new")
    (inputs / "new").replace(inputs / "train.npy")


def delete_file(inputs: Path) -> None:
    (inputs / "test.npy").unlink()


def add_to_inputs(inputs: Path) -> None:
    (inputs / "more.npy").touch()


@pytest.fixture
def waiting(write_config: WriteConfig, tmp_path: Path) -> tuple[object, ...]:
    """Return the command of a job of fakes whose trainer calls `EpochsTrainer.interrupt` before it reads."""
    trainer = {"use": "tests.support.components:EpochsTrainer", "epochs": 2}
    return ("run", "--config", write_config({**FAKES, "trainer": trainer}), "--root", tmp_path / "root", "--json")


def meddle(monkeypatch: pytest.MonkeyPatch, root: Path, change: Callable[[Path], None]) -> None:
    """Change the input of the trainer while it trains, after it wrote a checkpoint."""

    def interrupt() -> None:
        monkeypatch.setattr(EpochsTrainer, "interrupt", staticmethod(lambda: None))  # only after the first epoch
        (partial,) = (root / "artifacts/trainer").glob("*.partial")
        (partial / "checkpoints" / "epoch-0001").mkdir(parents=True)
        (inputs,) = (root / "artifacts/transform").iterdir()
        change(inputs)

    monkeypatch.setattr(EpochsTrainer, "interrupt", staticmethod(interrupt))


def statuses(record: dict[str, Any]) -> list[str]:
    return [step["status"] for step in record["steps"]]


@parametrize_sample(
    1,
    ("change", "message"),
    [
        (overwrite_in_place, "train.npy has been changed: its SHA-256 is "),
        pytest.param(replace_file, "train.npy has been changed: its SHA-256 is ", marks=pytest.mark.thorough),
        pytest.param(delete_file, "test.npy cannot be read: No such file", marks=pytest.mark.thorough),
        (add_to_inputs, "more.npy is not in the manifest"),
    ],
)
def test_input_that_changes_while_it_is_read_is_refused(
    mnist_job: Command,
    waiting: tuple[object, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    message: str,
) -> None:
    root = tmp_path / "root"
    with monkeypatch.context() as patched:
        meddle(patched, root, change)
        refused = mnist_job(*waiting)
    assert refused.exit_code == 3
    assert message in refused.stderr
    assert statuses(refused.record) == ["ran", "ran"]
    assert not list((root / "artifacts/trainer").iterdir()), "neither a model nor a checkpoint of the wrong data"
    again = mnist_job(*waiting)
    assert again.exit_code == 0
    assert statuses(again.record) == ["reused", "ran", "ran", "ran", "ran"]


def touch(inputs: Path) -> None:
    (inputs / "train.npy").touch()


def link(inputs: Path) -> None:
    """Make a hard link, as incremental backups do."""
    os.link(inputs / "train.npy", inputs.parents[2] / "backup.npy")


@pytest.mark.parametrize("change", [link, pytest.param(touch, marks=pytest.mark.thorough)])
def test_input_with_another_status_but_the_same_bytes_is_read(
    mnist_job: Command,
    waiting: tuple[object, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
) -> None:
    meddle(monkeypatch, tmp_path / "root", change)
    assert mnist_job(*waiting).exit_code == 0
