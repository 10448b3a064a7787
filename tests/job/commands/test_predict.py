"""`predict` as a user has it: formats, pipes, models by name, bad files and exit codes."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import pty
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

from job.config.config import load_config
from job.options import PredictionFormat
from job.reporters.predictions import Answer, make_answers
from job.runner.runner import run
from job.store.records import RunRecord
from tests.conftest import FAKES, Command, CommandResult
from tests.support.data import write_idx
from tests.support.imports import HEAVY, imported_by
from tests.support.processes import REPOSITORY, environment

SIZE = 16
"""Of the fakes' images."""


class Trained:
    """A root with a run of fakes, but judged by the real Evaluator, and the images that it was judged by."""

    def __init__(self, folder: Path, *overrides: str) -> None:
        self.root = folder / "root"
        config = folder / "config.yaml"
        config.write_text(json.dumps({**FAKES, "evaluator": {"thresholds": {"accuracy": {"minimum": 0.5}}}}))
        self.config = config
        self.record = self.run(*overrides)
        table = pd.read_parquet(self.artifact("example_gen") / "test.parquet")
        self.images = np.stack(table["image"].to_list()).reshape(-1, SIZE, SIZE)
        self.idx = folder / "test-idx3-ubyte"
        write_idx(self.idx, self.images)
        self.png = folder / "one.png"
        Image.fromarray(self.images[0]).save(self.png)

    def run(self, *overrides: str) -> RunRecord:
        return run(load_config(self.config, overrides, root=self.root))

    def artifact(self, slot: str) -> Path:
        return next(Path(step.path) for step in self.record.steps if step.component == slot)

    def probabilities(self) -> NDArray[np.float32]:
        """What the evaluation holds for the same images."""
        return np.stack(pd.read_parquet(self.artifact("evaluator") / "predictions.parquet")["probabilities"].to_list())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


def lines(outcome: CommandResult) -> list[dict[str, Any]]:
    return [json.loads(line) for line in outcome.stdout.splitlines()]


def test_json_lines_hold_what_the_evaluation_found(trained: Trained, mnist_job: Command) -> None:
    outcome = mnist_job("predict", trained.idx, trained.png, "--root", trained.root, "--format", "jsonl")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    *of_idx, of_png = lines(outcome)
    expected = trained.probabilities()
    np.testing.assert_allclose([told["probabilities"] for told in of_idx], expected, atol=1e-6)
    assert [told["label"] for told in of_idx] == expected.argmax(axis=1).tolist()
    assert [told["row"] for told in of_idx] == list(range(len(expected)))
    assert {told["path"] for told in of_idx} == {str(trained.idx)}
    assert list(of_png) == ["path", "label", "probability", "probabilities"]
    assert of_png["probability"] == max(of_png["probabilities"]) == of_png["probabilities"][of_png["label"]]
    assert of_png["probabilities"] == of_idx[0]["probabilities"]


def test_csv_and_the_table_say_the_same(trained: Trained, mnist_job: Command) -> None:
    arguments = ("predict", trained.idx, trained.png, "--root", trained.root)
    expected = lines(mnist_job(*arguments, "--format", "jsonl"))
    rows = list(csv.DictReader(mnist_job(*arguments, "--format", "csv").stdout.splitlines()))
    assert [int(row["label"]) for row in rows] == [told["label"] for told in expected]
    assert [[float(row[f"p_{label}"]) for label in range(3)] for row in rows] == [
        told["probabilities"] for told in expected
    ]
    assert (rows[0]["row"], rows[-1]["row"]) == ("0", "")
    heading, *table = mnist_job(*arguments).stdout.splitlines()
    assert heading.split() == ["label", "probability", "next", "image"]
    assert [int(line.split()[0]) for line in table] == [told["label"] for told in expected]
    assert table[-1].endswith(f"  {trained.png}")
    assert table[1].endswith(f"  {trained.idx}  row 1")


def test_a_csv_of_pixels_and_a_folder_are_read(trained: Trained, mnist_job: Command, tmp_path: Path) -> None:
    header = ",".join(f"pixel{index}" for index in range(SIZE**2))
    rows = [",".join(map(str, image.reshape(-1))) for image in trained.images[:4]]
    (tmp_path / "pixels.csv").write_text("\n".join([header, *rows]) + "\n")
    (tmp_path / "pictures").mkdir()
    for index, image in enumerate(trained.images[:4]):
        Image.fromarray(image).save(tmp_path / "pictures" / f"{index}.png")
    paths = (tmp_path / "pixels.csv", tmp_path / "pictures")
    told = lines(mnist_job("predict", *paths, "--root", trained.root, "--format", "jsonl"))
    labels = [line["label"] for line in told]
    assert labels[:4] == labels[4:] == trained.probabilities()[:4].argmax(axis=1).tolist()


def test_a_bad_file_is_told_in_a_line_and_skipped_and_the_exit_code_is_3(
    trained: Trained, mnist_job: Command, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    paths = (tmp_path / "bad.png", tmp_path / "nowhere.png", trained.png)
    outcome = mnist_job("predict", *paths, "--root", trained.root, "--format", "jsonl")
    assert outcome.exit_code == 3
    assert [line["path"] for line in lines(outcome)] == [str(trained.png)]
    assert outcome.stderr.splitlines() == [
        f"skipped: {tmp_path / 'bad.png'} is not a whole PNG or JPEG image",
        f"skipped: {tmp_path / 'nowhere.png'} does not exist",
    ]


def test_show_keeps_what_was_given_beside_what_was_seen(trained: Trained, mnist_job: Command, tmp_path: Path) -> None:
    shown = tmp_path / "new" / "shown"
    outcome = mnist_job("predict", trained.png, "--root", trained.root, "--show", shown, "--format", "jsonl")
    (told,) = lines(outcome)
    (path,) = shown.iterdir()
    assert path.name == f"one_{told['label']}_{told['probability']:.3f}.png"
    with Image.open(path) as picture:
        assert picture.size == (280 + 20 + 280, 280)
    (tmp_path / "file").touch()
    refused = mnist_job("predict", trained.png, "--root", trained.root, "--show", tmp_path / "file")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--show" in refused.stderr


@pytest.mark.parametrize("form", ["default", "id", "latest", "run folder", "link", "artifact", "another root"])
def test_a_model_is_named_by_a_run_or_a_path(trained: Trained, mnist_job: Command, tmp_path: Path, form: str) -> None:
    run_folder = trained.root / "runs" / trained.record.run_id
    if form == "another root":
        shutil.copytree(trained.root, tmp_path / "elsewhere", symlinks=True)
        run_folder = tmp_path / "elsewhere" / "runs" / trained.record.run_id
    named = {
        "id": trained.record.run_id,
        "latest": "latest",
        "link": run_folder / "trainer",
        "artifact": trained.artifact("trainer"),
    }.get(form, run_folder)
    root = tmp_path / "empty" if form in ("another root", "artifact") else trained.root
    model = () if form == "default" else ("--model", named)
    outcome = mnist_job("predict", trained.png, "--root", root, *model, "--format", "jsonl")
    assert outcome.exit_code == 0, outcome.stderr
    np.testing.assert_allclose(lines(outcome)[0]["probabilities"], trained.probabilities()[0], atol=1e-6)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (None, "has no run whose model was blessed"),
        ("20200101-000000-000abcd", "--model is `20200101-000000-000abcd`"),
        ("no/where", "--model is no/where, where there is no folder"),
    ],
)
def test_no_such_model_is_a_mistake_with_its_remedy(
    mnist_job: Command, trained: Trained, tmp_path: Path, model: str | None, said: str
) -> None:
    named = () if model is None else ("--model", model)
    outcome = mnist_job("predict", trained.png, "--root", tmp_path, *named)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert said in outcome.stderr.splitlines()[0]
    assert "--model" in outcome.stderr.splitlines()[2]


def test_the_latest_blessed_model_answers_and_not_a_newer_one_that_was_not(mnist_job: Command, tmp_path: Path) -> None:
    trained = Trained(tmp_path)
    worse = trained.run(
        "trainer.use=tests.support.components:OneSidedTrainer", "evaluator.thresholds.accuracy.minimum=1"
    )
    assert worse.blessed is False
    told = lines(mnist_job("predict", trained.idx, "--root", trained.root, "--format", "jsonl"))
    np.testing.assert_allclose([line["probabilities"] for line in told], trained.probabilities(), atol=1e-6)
    of_worse = mnist_job("predict", trained.idx, "--root", trained.root, "--model", worse.run_id, "--format", "jsonl")
    assert of_worse.exit_code == 0
    assert 2 not in {line["label"] for line in lines(of_worse)}


def test_a_damaged_model_answers_nothing(mnist_job: Command, tmp_path: Path) -> None:
    trained = Trained(tmp_path)
    weights = trained.artifact("trainer") / "weights.npz"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    outcome = mnist_job("predict", trained.png, "--root", trained.root)
    assert (outcome.exit_code, outcome.stdout) == (3, "")
    assert "has been changed" in outcome.stderr


def test_the_temperature_of_the_evaluation_is_applied(mnist_job: Command, tmp_path: Path) -> None:
    trained = Trained(tmp_path, "evaluator.temperature_scaling=true")
    told = lines(mnist_job("predict", trained.idx, "--root", trained.root, "--format", "jsonl"))
    scaled = np.array([line["probabilities"] for line in told])
    np.testing.assert_allclose(scaled, trained.probabilities(), atol=1e-6)
    model = ("--model", trained.artifact("trainer"))
    told = lines(mnist_job("predict", trained.idx, "--root", trained.root, *model, "--format", "jsonl"))
    assert np.abs(scaled - [line["probabilities"] for line in told]).max() > 1e-4


def test_help_and_a_linear_model_need_no_tensorflow(trained: Trained) -> None:
    assert not imported_by("predict", "--help") & {*HEAVY, "scipy", "yaml"}
    assert not imported_by("predict", trained.png, "--root", trained.root, "--format", "csv") & {"tensorflow", "keras"}


def piped(trained: Trained, *paths: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "job", "predict", *map(str, paths), "--root", trained.root, "--format", "jsonl"],
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def many(trained: Trained, tmp_path: Path) -> Path:
    """An IDX file that takes a while."""
    path = tmp_path / "many"
    write_idx(path, np.tile(trained.images, (20_000, 1, 1)))
    return path


def test_a_reader_that_has_seen_enough_ends_it_quietly(trained: Trained, many: Path) -> None:
    began = time.monotonic()
    process = piped(trained, many)
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["row"] == 0
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
    assert time.monotonic() - began < 20


def test_a_full_disk_behind_standard_output_is_told(trained: Trained) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
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
    assert "error: standard output could not be written: No space left on device" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_between_two_lines_with_143(trained: Trained, many: Path, number: signal.Signals) -> None:
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


def on_a_terminal(trained: Trained, *, answers_too: bool) -> tuple[str, str]:
    """Return what a run writes to its standard output, if that is a pipe, and to its terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "job", "predict", trained.idx, "--root", trained.root, "--format", "jsonl"],
        cwd=REPOSITORY,
        env={**environment(), "TERM": "xterm", "COLUMNS": "120"},
        stdout=theirs if answers_too else subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    told = b""
    with contextlib.suppress(OSError):  # nobody has the terminal open any more
        while some := os.read(ours, 65_536):
            told += some
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out or "", told.decode()


def test_a_terminal_sees_a_bar_that_leaves_the_answers_alone(trained: Trained) -> None:
    out, told = on_a_terminal(trained, answers_too=False)
    assert len([json.loads(line) for line in out.splitlines()]) == len(trained.images)
    assert f"{len(trained.images)}/{len(trained.images)}" in told


def test_the_bar_goes_where_answers_are_told_on_the_same_terminal(trained: Trained) -> None:
    _, told = on_a_terminal(trained, answers_too=True)
    lines = [line for line in told.splitlines() if '"label"' in line]
    assert len(lines) == len(trained.images)
    for line in lines:
        json.loads(line.rpartition("\x1b[2K")[2])  # erases the line before the answer


@pytest.mark.parametrize("names", [("0", "1", "2"), ("cat", "dog", "cow")])
def test_labels_are_numbers_where_classes_are_called_so(names: tuple[str, ...]) -> None:
    written = io.StringIO()
    answer = Answer(Path("a,b.png"), None, 2, [0.1, 0.2, 0.7])
    make_answers(PredictionFormat.JSONL, names, Console(file=written)).tell([answer])
    assert json.loads(written.getvalue())["label"] == (2 if names[2] == "2" else "cow")
    make_answers(PredictionFormat.CSV, names, Console(file=written)).tell([answer])
    assert written.getvalue().splitlines()[1] == f'"a,b.png",,{names[2]},0.7,0.1,0.2,0.7'
