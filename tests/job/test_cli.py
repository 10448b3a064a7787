"""The command line: processes, streams, signals, and imports."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from job.reporters.console import ConsoleReporter
from job.reporters.tables import print_steps
from job.store.runs import Runs
from tests.conftest import FAKES, Command, FinishedRun, WriteConfig
from tests.support.data import write_csv, write_idx_folder, write_image_folder
from tests.support.imports import HEAVY, imported_by, imported_by_all
from tests.support.roots import copy_root


def test_help_imports_nothing_heavy() -> None:
    assert not imported_by("--help") & {*HEAVY, "pydantic", "yaml"}
    assert not imported_by("run", "--help") & {*HEAVY, "yaml"}


def test_fully_reused_run_imports_nothing_heavy(digits_run: FinishedRun, tmp_path: Path) -> None:
    root = copy_root(digits_run.root, tmp_path / "root")
    arguments = ("--config", digits_run.config, "--root", root)
    packages = imported_by_all(
        ("run", *arguments),
        ("plan", *arguments, "--set", "trainer.seed=1"),
        ("show", "--root", root),
        ("verify", "--root", root),
    )
    assert "pydantic" in packages
    assert not packages & set(HEAVY)
    assert len(Runs(root).ids()) == 2


def test_json_is_the_only_standard_output(
    tmp_path: Path, write_config: WriteConfig, mnist_job_process: Command
) -> None:
    (tmp_path / "printing.py").write_text(
        "from components.testing import FakeTrainer\n"
        "class PrintingTrainer(FakeTrainer):\n"
        "    def run(self, context, /, *, transformed: 'Stored[TransformedExamples]') -> 'Model':\n"
        "        print('a library prints')\n"
        "        return super().run(context, transformed=transformed)\n"
        "from components import Model, Stored, TransformedExamples\n"
    )
    config = write_config({**FAKES, "trainer": {"use": "printing:PrintingTrainer"}})
    outcome = mnist_job_process("run", "--config", config, "--root", "root", "--json", cwd=tmp_path)
    assert outcome.exit_code == 0
    assert json.loads(outcome.stdout)["outcome"] == "succeeded"
    assert "a library prints" in outcome.stderr
    assert "trainer" in outcome.stderr


def test_output_has_no_bars_or_colors_without_a_terminal(
    tmp_path: Path, fake_config: Path, mnist_job_process: Command
) -> None:
    outcome = mnist_job_process("run", "--config", fake_config, "--root", tmp_path / "root")
    assert outcome.stderr == ""
    assert "\x1b" not in outcome.stdout
    assert "\r" not in outcome.stdout
    assert "verdict       BLESSED" in outcome.stdout


def test_invalid_key_is_one_sentence_and_exit_code_2(tmp_path: Path, mnist_job_process: Command) -> None:
    outcome = mnist_job_process(
        "run", "--config", "configs/digits.yaml", "--set", "trainer.epoch=3", "--root", tmp_path / "root"
    )
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert outcome.stderr.splitlines()[0] == (
        "error: --set trainer.epoch=3: trainer.epoch is not a key of the configuration"
    )
    assert outcome.stderr.splitlines()[2] == "  remedy:   did you mean trainer.epochs?"
    assert not (tmp_path / "root").exists()


def corrupt_idx(folder: Path) -> dict[str, Any]:
    path = write_idx_folder(folder) / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    return {"kind": "idx", "path": str(folder)}


def corrupt_csv(folder: Path) -> dict[str, Any]:
    path = write_csv(folder / "digits.csv")
    path.write_text(path.read_text().replace(",220,", ",-1,"))
    return {"kind": "csv", "path": str(path)}


def corrupt_images(folder: Path) -> dict[str, Any]:
    (write_image_folder(folder) / "0" / "0.png").write_text("text")
    return {"kind": "image_folder", "path": str(folder)}


def missing(folder: Path) -> dict[str, Any]:
    return {"kind": "idx", "path": str(folder / "nowhere")}


def not_prepared(folder: Path) -> dict[str, Any]:
    return {"kind": "tfds", "name": "mnist", "data_dir": str(folder), "download": False}


def corrupt_tfds(folder: Path) -> dict[str, Any]:
    (folder / "mnist" / "3.0.1").mkdir(parents=True)
    (folder / "mnist" / "3.0.1" / "dataset_info.json").write_text("{")
    return not_prepared(folder)


@pytest.mark.parametrize(
    ("corrupt", "message"),
    [
        (corrupt_idx, "bytes of data, but has"),
        (corrupt_csv, "holds '-1'"),
        (corrupt_images, "is not a whole picture"),
        (missing, "does not exist"),
        (not_prepared, "is not prepared"),
        (corrupt_tfds, "cannot be read"),
    ],
)
def test_bad_data_is_one_sentence_and_exit_code_3(
    tmp_path: Path,
    mnist_job: Command,
    write_config: WriteConfig,
    corrupt: Callable[[Path], dict[str, Any]],
    message: str,
) -> None:
    (tmp_path / "data").mkdir()
    config = write_config({"example_gen": {"source": corrupt(tmp_path / "data")}})
    outcome = mnist_job("run", "--config", config, "--root", tmp_path / "root")
    assert outcome.exit_code == 3
    assert message in outcome.stderr.splitlines()[0]
    assert len(outcome.stderr.splitlines()) == 4
    assert not list((tmp_path / "root").rglob("*.partial"))


def test_terminal_has_a_bar_with_metrics_and_time_left() -> None:
    written = io.StringIO()
    reporter = ConsoleReporter(Console(file=written, force_terminal=True, width=120))
    reporter.epoch_begin(epoch=2, epochs=12, steps=40)
    reporter.training_step(step=10, images=1280, metrics={"loss": 0.5, "accuracy": 0.875})
    assert reporter.progress is not None
    reporter.progress.refresh()
    reporter.epoch_end(metrics={"loss": 0.4, "accuracy": 0.9, "val_loss": 0.3, "val_accuracy": 0.95})
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())
    assert re.search(r"epoch  2/12 .* 10/40 loss 0.5000  accuracy 0.8750 +[\d,]+ images/s (-:--:--|\d:\d\d:\d\d)", text)
    assert "epoch  2/12  loss 0.4000  accuracy 0.9000  val_loss 0.3000  val_accuracy 0.9500" in text


def test_step_rows_are_whole_on_a_narrow_terminal(tmp_path: Path, mnist_job: Command, fake_config: Path) -> None:
    assert mnist_job("run", "--config", fake_config, "--root", tmp_path).exit_code == 0
    record = Runs(tmp_path).read()
    written = io.StringIO()
    print_steps(Console(file=written, force_terminal=True, color_system=None, width=40), record)
    heading, *lines = written.getvalue().splitlines()
    assert heading.split() == ["step", "status", "seconds", "cpu", "s", "artifact"]
    rows = [line.split() for line in lines if " ran " in line]
    assert [row[:2] for row in rows] == [[step.component, "ran"] for step in record.steps]
    assert [row[-1] for row in rows] == [f"{step.component}/{step.fingerprint[:12]}" for step in record.steps]
    assert not [line for line in lines if line.endswith(" ")]


def has_gpu() -> bool:
    from components.base.errors import ResourceError
    from components.runtime.tensorflow import require_gpu

    try:
        require_gpu()
    except ResourceError:
        return False
    return True


@pytest.mark.skipif(has_gpu(), reason="this machine has a GPU")
def test_missing_gpu_is_exit_code_5_before_any_work(tmp_path: Path, mnist_job_process: Command) -> None:
    outcome = mnist_job_process(
        "run", "--config", "configs/digits.yaml", "--set", "trainer.device=gpu", "--root", tmp_path / "root"
    )
    assert outcome.exit_code == 5
    assert "the configuration requires a GPU, but" in outcome.stderr
    assert not (tmp_path / "root").exists()
