"""`predict`: formats, pipes, names of models, bad files and exit codes."""

import contextlib
import csv
import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from job import run
from job.config.config import load_config
from job.reporters.predictions import CsvWriter, JsonLinesWriter, Prediction
from job.store.records import RunRecord
from tests.conftest import FAKES, Command, CommandResult
from tests.support.cases import parametrize_sample
from tests.support.data import write_idx, write_idx_folder
from tests.support.imports import HEAVY, imported_by
from tests.support.processes import REPOSITORY, environment, start

SIZE = 16
"""Height and width of the fakes' images."""


class Trained:
    """A root with a run of fakes and the real Evaluator, and its test images."""

    def __init__(self, folder: Path, *overrides: str) -> None:
        self.root = folder / "root"
        config = folder / "config.yaml"
        config.write_text(json.dumps({**FAKES, "evaluator": {"thresholds": {"accuracy": {"minimum": 0.5}}}}))
        self.config = config
        self.record = self.run(*overrides)
        table = pd.read_parquet(self.artifact("example_gen") / "test/00000.parquet")
        images = np.stack(table["image"].to_list())
        self.images = images.reshape(-1, SIZE, SIZE, *[3] * (images.shape[1] > SIZE**2))
        self.idx = folder / f"test-idx{self.images.ndim}-ubyte"
        write_idx(self.idx, self.images)
        self.png = folder / "one.png"
        Image.fromarray(self.images[0]).save(self.png)

    def run(self, *overrides: str) -> RunRecord:
        return run(load_config(self.config, overrides, root=self.root)).record

    def artifact(self, slot: str) -> Path:
        return next(Path(step.path) for step in self.record.steps if step.component == slot)

    def probabilities(self) -> NDArray[np.float32]:
        """Probabilities of the test images in the evaluation."""
        return np.stack(pd.read_parquet(self.artifact("evaluator") / "predictions.parquet")["probabilities"].to_list())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


def lines(outcome: CommandResult) -> list[dict[str, Any]]:
    return [json.loads(line) for line in outcome.stdout.splitlines()]


def test_json_lines_match_the_evaluation(trained: Trained, mnist_job: Command) -> None:
    outcome = mnist_job("predict", trained.idx, trained.png, "--root", trained.root, "--format", "jsonl")
    assert outcome.exit_code == 0
    assert re.fullmatch(
        f"model: run {trained.record.run_id}  trained on made-up squares  test accuracy 1.0000  .* old\n",
        outcome.stderr,
    )
    *idx, png = lines(outcome)
    expected = trained.probabilities()
    np.testing.assert_allclose([line["probabilities"] for line in idx], expected, atol=1e-6)
    assert [line["label"] for line in idx] == expected.argmax(axis=1).tolist()
    assert [line["row"] for line in idx] == list(range(len(expected)))
    assert {line["path"] for line in idx} == {str(trained.idx)}
    assert list(png) == ["path", "label", "probability", "probabilities"]
    assert png["probability"] == max(png["probabilities"]) == png["probabilities"][png["label"]]
    assert png["probabilities"] == idx[0]["probabilities"]


def test_color_model_predicts_as_in_the_evaluation(tmp_path: Path, mnist_job: Command) -> None:
    color = Trained(tmp_path, "example_gen.channels=3")
    outcome = mnist_job("predict", color.idx, color.png, "--root", color.root, "--format", "jsonl")
    expected = color.probabilities()
    assert color.images.shape[1:] == (SIZE, SIZE, 3)
    np.testing.assert_allclose([line["probabilities"] for line in lines(outcome)], [*expected, expected[0]], atol=1e-6)


def test_csv_and_table_match_the_json_lines(trained: Trained, mnist_job: Command) -> None:
    arguments = ("predict", trained.idx, trained.png, "--root", trained.root)
    expected = lines(mnist_job(*arguments, "--format", "jsonl"))
    rows = list(csv.DictReader(mnist_job(*arguments, "--format", "csv").stdout.splitlines()))
    assert [int(row["label"]) for row in rows] == [line["label"] for line in expected]
    assert [[float(row[f"p_{label}"]) for label in range(3)] for row in rows] == [
        line["probabilities"] for line in expected
    ]
    assert (rows[0]["row"], rows[-1]["row"]) == ("0", "")
    heading, *table = mnist_job(*arguments).stdout.splitlines()
    assert heading.split() == ["label", "probability", "next", "image"]
    assert [int(line.split()[0]) for line in table] == [line["label"] for line in expected]
    assert table[-1].endswith(f"  {trained.png}")
    assert table[1].endswith(f"  {trained.idx}  row 1")


def test_reads_csv_of_pixels_and_folder(trained: Trained, mnist_job: Command, tmp_path: Path) -> None:
    header = ",".join(f"pixel{index}" for index in range(SIZE**2))
    rows = [",".join(map(str, image.reshape(-1))) for image in trained.images[:4]]
    (tmp_path / "pixels.csv").write_text("\n".join([header, *rows]) + "\n")
    (tmp_path / "pictures").mkdir()
    for index, image in enumerate(trained.images[:4]):
        Image.fromarray(image).save(tmp_path / "pictures" / f"{index}.png")
    paths = (tmp_path / "pixels.csv", tmp_path / "pictures")
    predictions = lines(mnist_job("predict", *paths, "--root", trained.root, "--format", "jsonl"))
    labels = [line["label"] for line in predictions]
    assert labels[:4] == labels[4:] == trained.probabilities()[:4].argmax(axis=1).tolist()


def test_folder_may_have_other_formats_and_files(trained: Trained, mnist_job: Command, tmp_path: Path) -> None:
    for index, suffix in enumerate(("bmp", "gif", "tiff", "webp")):
        options: dict[str, Any] = {"lossless": True} if suffix == "webp" else {}
        Image.fromarray(trained.images[index]).save(tmp_path / f"{index}.{suffix}", **options)
    Image.fromarray(trained.images[4]).save(
        tmp_path / "4.gif", save_all=True, append_images=[Image.fromarray(trained.images[5])]
    )
    for name in (".DS_Store", "Thumbs.db", "__MACOSX/._0.png", "lost+found/0.png", "about.txt", "labels.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("content")
    outcome = mnist_job("predict", tmp_path, "--root", trained.root, "--format", "jsonl")
    assert outcome.exit_code == 0
    assert [line["label"] for line in lines(outcome)] == trained.probabilities()[:5].argmax(axis=1).tolist()
    names = "*.csv, *.txt, .DS_Store, Thumbs.db, __MACOSX, lost+found"
    assert [line for line in outcome.stderr.splitlines() if line.startswith("warning:")] == [
        f"warning: {tmp_path}: skipped 6 files and folders: {names}",
        f"warning: {tmp_path / '4.gif'} has several frames; only the first is read",
    ]


def test_transposes_images_of_emnist(trained: Trained, mnist_job: Command, tmp_path: Path) -> None:
    path = tmp_path / "emnist-digits-test-images-idx3-ubyte"
    write_idx(path, trained.images.transpose(0, 2, 1))
    arguments = ("predict", path, "--root", trained.root, "--format", "jsonl")
    outcome = mnist_job(*arguments, "--transpose")
    assert "warning" not in outcome.stderr
    assert [line["label"] for line in lines(outcome)] == trained.probabilities().argmax(axis=1).tolist()
    assert f"{path.name}: EMNIST stores images column by column; set --transpose" in mnist_job(*arguments).stderr


def test_bad_files_are_skipped_with_exit_code_3(trained: Trained, mnist_job: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    paths = (tmp_path / "bad.png", tmp_path / "nowhere.png", trained.png)
    outcome = mnist_job("predict", *paths, "--root", trained.root, "--format", "jsonl")
    assert outcome.exit_code == 3
    assert [line["path"] for line in lines(outcome)] == [str(trained.png)]
    assert outcome.stderr.splitlines()[1:] == [
        f"skipped: {tmp_path / 'bad.png'} is not a whole picture",
        f"skipped: {tmp_path / 'nowhere.png'} does not exist",
    ]


def test_show_saves_a_preview_of_each_image(trained: Trained, mnist_job: Command, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "previews"
    outcome = mnist_job("predict", trained.png, "--root", trained.root, "--show", folder, "--format", "jsonl")
    (line,) = lines(outcome)
    (path,) = folder.iterdir()
    assert path.name == f"one_{line['label']}_{line['probability']:.3f}.png"
    with Image.open(path) as picture:
        assert picture.size == (280 + 20 + 280, 280)
    (tmp_path / "file").touch()
    refused = mnist_job("predict", trained.png, "--root", trained.root, "--show", tmp_path / "file")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--show" in refused.stderr


@pytest.mark.parametrize("name", ["default", "id", "latest", "run folder", "link", "artifact", "another root"])
def test_model_is_named_by_run_or_path(trained: Trained, mnist_job: Command, tmp_path: Path, name: str) -> None:
    run_folder = trained.root / "runs" / trained.record.run_id
    if name == "another root":
        shutil.copytree(trained.root, tmp_path / "elsewhere", symlinks=True)
        run_folder = tmp_path / "elsewhere" / "runs" / trained.record.run_id
    named = {
        "id": trained.record.run_id,
        "latest": "latest",
        "link": run_folder / "trainer",
        "artifact": trained.artifact("trainer"),
    }.get(name, run_folder)
    root = tmp_path / "empty" if name in ("another root", "artifact") else trained.root
    model = () if name == "default" else ("--model", named)
    outcome = mnist_job("predict", trained.png, "--root", root, *model, "--format", "jsonl")
    assert outcome.exit_code == 0, outcome.stderr
    stated = f"{trained.artifact('trainer')}  " if name in ("link", "artifact") else f"run {trained.record.run_id}  "
    assert f"model: {stated}trained on made-up squares  test accuracy " in outcome.stderr
    np.testing.assert_allclose(lines(outcome)[0]["probabilities"], trained.probabilities()[0], atol=1e-6)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (None, "has no run whose model was blessed"),
        ("20200101-000000-000abcd", "--model is `20200101-000000-000abcd`"),
        ("no/where", "--model is no/where, which is not a folder"),
    ],
)
def test_unknown_model_is_an_error_with_a_remedy(
    mnist_job: Command, trained: Trained, tmp_path: Path, model: str | None, message: str
) -> None:
    named = () if model is None else ("--model", model)
    outcome = mnist_job("predict", trained.png, "--root", tmp_path, *named)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert message in outcome.stderr.splitlines()[0]
    assert re.search("--(model|root)", outcome.stderr.splitlines()[2])


def test_uses_latest_blessed_model_by_default(mnist_job: Command, tmp_path: Path) -> None:
    trained = Trained(tmp_path)
    worse = trained.run(
        "trainer.use=tests.support.components:OneSidedTrainer", "evaluator.thresholds.accuracy.minimum=1"
    )
    assert worse.blessed is False
    predictions = lines(mnist_job("predict", trained.idx, "--root", trained.root, "--format", "jsonl"))
    np.testing.assert_allclose([line["probabilities"] for line in predictions], trained.probabilities(), atol=1e-6)
    bad = mnist_job("predict", trained.idx, "--root", trained.root, "--model", worse.run_id, "--format", "jsonl")
    assert bad.exit_code == 0
    assert "NOT BLESSED" in bad.stderr
    assert 2 not in {line["label"] for line in lines(bad)}


def test_blessed_models_of_other_data_are_stated(mnist_job: Command, tmp_path: Path) -> None:
    trained = Trained(tmp_path)
    source = {"kind": "idx", "path": str(write_idx_folder(tmp_path / "idx"))}
    other = trained.run(f"example_gen.source={json.dumps(source)}", "example_gen.use=components:ExampleGen")
    model, also = mnist_job("predict", trained.png, "--root", trained.root).stderr.splitlines()
    assert model.startswith(f"model: run {other.run_id}  trained on IDX files  ")
    assert also == f"also blessed: --model {trained.record.run_id}  trained on made-up squares"


def test_damaged_model_predicts_nothing(mnist_job: Command, tmp_path: Path) -> None:
    trained = Trained(tmp_path)
    weights = trained.artifact("trainer") / "weights.npz"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    outcome = mnist_job("predict", trained.png, "--root", trained.root)
    assert (outcome.exit_code, outcome.stdout) == (3, "")
    assert "has been changed" in outcome.stderr


def test_applies_temperature_of_the_evaluation(mnist_job: Command, tmp_path: Path) -> None:
    trained = Trained(tmp_path, "evaluator.temperature_scaling=true")
    predictions = lines(mnist_job("predict", trained.idx, "--root", trained.root, "--format", "jsonl"))
    scaled = np.array([line["probabilities"] for line in predictions])
    np.testing.assert_allclose(scaled, trained.probabilities(), atol=1e-6)
    model = ("--model", trained.artifact("trainer"))
    predictions = lines(mnist_job("predict", trained.idx, "--root", trained.root, *model, "--format", "jsonl"))
    assert np.abs(scaled - [line["probabilities"] for line in predictions]).max() > 1e-4


def test_help_and_linear_model_need_no_tensorflow(trained: Trained) -> None:
    assert not imported_by("predict", "--help") & {*HEAVY, "scipy", "yaml"}
    assert not imported_by("predict", trained.png, "--root", trained.root, "--format", "csv") & {"tensorflow", "keras"}


def piped(trained: Trained, *paths: Path) -> subprocess.Popen[str]:
    return start("predict", *paths, "--root", trained.root, "--format", "jsonl")


@pytest.fixture
def many(trained: Trained, tmp_path: Path) -> Path:
    """An IDX file with many images."""
    path = tmp_path / "many"
    write_idx(path, np.tile(trained.images, (20_000, 1, 1)))
    return path


def test_closed_pipe_ends_it_without_an_error(trained: Trained, many: Path) -> None:
    began = time.monotonic()
    process = piped(trained, many)
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["row"] == 0
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr.read().splitlines()[1:] == [], "only the model is stated"
    process.stderr.close()
    assert time.monotonic() - began < 20


def test_reports_full_disk_of_standard_output(trained: Trained) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no /dev/full")
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "job", "predict", trained.idx, "--root", trained.root],
            cwd=REPOSITORY,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert "error: cannot write to standard output: No space left on device" in result.stderr


@parametrize_sample(1, "number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_between_two_lines(trained: Trained, many: Path, number: signal.Signals) -> None:
    process = piped(trained, many)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    assert all(json.loads(line) for line in process.stdout)
    assert process.wait(30) == 143
    assert process.stderr is not None
    assert f"interrupted ({number.name})" in process.stderr.read()
    process.stdout.close()
    process.stderr.close()


def on_terminal(trained: Trained, *, stdout_too: bool) -> tuple[str, str]:
    """Return the output to a pipe, if standard output is one, and the output to the terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "job", "predict", trained.idx, "--root", trained.root, "--format", "jsonl"],
        cwd=REPOSITORY,
        env={**environment(), "TERM": "xterm", "COLUMNS": "120"},
        stdout=theirs if stdout_too else subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # all processes have closed the terminal
        while some := os.read(ours, 65_536):
            output += some
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out or "", output.decode()


def test_terminal_has_a_bar_beside_piped_predictions(trained: Trained) -> None:
    out, terminal = on_terminal(trained, stdout_too=False)
    assert len([json.loads(line) for line in out.splitlines()]) == len(trained.images)
    assert f"{len(trained.images)}/{len(trained.images)}" in terminal


def test_bar_is_hidden_while_predictions_are_printed(trained: Trained) -> None:
    _, terminal = on_terminal(trained, stdout_too=True)
    lines = [line for line in terminal.splitlines() if '"label"' in line]
    assert len(lines) == len(trained.images)
    for line in lines:
        json.loads(line.rpartition("\x1b[2K")[2])  # erases the bar before the prediction


@pytest.mark.parametrize("names", [("0", "1", "2"), ("cat", "dog", "cow")])
def test_labels_are_numbers_if_class_names_are(names: tuple[str, ...]) -> None:
    written = io.StringIO()
    prediction = Prediction(Path("a,b.png"), None, 2, [0.1, 0.2, 0.7])
    JsonLinesWriter(names, Console(file=written)).write([prediction])
    assert json.loads(written.getvalue())["label"] == (2 if names[2] == "2" else "cow")
    CsvWriter(names, Console(file=written)).write([prediction])
    assert written.getvalue().splitlines()[1] == f'"a,b.png",,{names[2]},0.7,0.1,0.2,0.7'
