"""TensorBoard: what its reader finds in the event files, and runs that cannot write them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import Command, WriteConfig
from tests.support.cases import parametrize_sample
from tests.support.components import EpochsTrainer
from tests.support.processes import results, wait_until
from tests.support.trackers import EPOCHS

TRACKED: dict[str, Any] = {**EPOCHS, "tracking": {"tensorboard": {}}}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Any]:
    """Return TensorBoard's reader of a folder of event files."""
    # TensorBoard imports TensorFlow, which takes seconds, unless this module exists.
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", ModuleType("notf"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def load(folder: Path) -> Any:
        return EventAccumulator(str(folder)).Reload()

    return load


def run_of(root: Path, folder: str = "tensorboard") -> Path:
    (found,) = (root / folder).iterdir()
    assert found.name == (root / "runs" / "latest").resolve().name
    return found


def by_step(events: Any, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_curves_metrics_and_figures_are_read_back(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, read: Callable[[Path], Any]
) -> None:
    root = tmp_path / "a root"
    outcome = mnist_job("run", "--config", write_config(TRACKED), "--root", root)
    assert outcome.exit_code == 0
    assert f"tensorboard   tensorboard --logdir '{root}/tensorboard'\n" in outcome.stdout
    run = run_of(root)
    train, validation, test, whole = (read(run / part) for part in ("train", "validation", "test", ""))
    assert sorted(train.Tags()["scalars"]) == ["accuracy", "learning_rate", "loss"]
    assert sorted(validation.Tags()["scalars"]) == ["accuracy", "loss"]
    assert by_step(train, "loss") == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert by_step(train, "learning_rate") == [(1, 0.125), (2, 0.125), (3, 0.125)]
    assert by_step(validation, "loss") == [(1, 2.0), (2, 1.0), (3, pytest.approx(2 / 3))]
    assert by_step(test, "accuracy") == [(2, 1.0)], "at the best epoch"
    assert {"accuracy", "loss", "test/macro_f1", "test/calibration_error"} <= {*test.Tags()["scalars"]}
    (image,) = whole.Images("mean")
    assert image.encoded_image_string == (root / "runs/latest/visualizer/mean.png").read_bytes()
    assert (image.width, image.height) == (16, 16)


def test_configuration_and_lineage_are_texts(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, read: Callable[[Path], Any]
) -> None:
    record = mnist_job("run", "--config", write_config(TRACKED), "--root", tmp_path / "root", "--json").record
    events = read(run_of(tmp_path / "root"))
    texts = {
        tag: events.Tensors(tag)[0].tensor_proto.string_val[0].decode()
        for tag in ("configuration", "environment", "lineage", "source", "outcome")
    }
    assert json.loads(texts["configuration"].strip("`")) == record["config"]
    assert json.loads(texts["source"].strip("`"))["title"] == "made-up squares"
    assert json.loads(texts["outcome"].strip("`"))["blessed"] is True
    for step in record["steps"]:
        assert f"| {step['component']} | ran | {step['digest']} | {step['fingerprint']} |" in texts["lineage"]
    assert {events.SummaryMetadata(tag).plugin_data.plugin_name for tag in texts} == {"text"}


def test_name_and_note_are_shown(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, read: Callable[[Path], Any]
) -> None:
    names = ("--name", "wide", "--note", "first try")
    record = mnist_job("run", "--config", write_config(TRACKED), "--root", tmp_path / "root", "--json", *names).record
    events = read(tmp_path / "root" / "tensorboard" / f"wide-{record['run_id']}")
    assert events.Tensors("note")[0].tensor_proto.string_val[0] == b"first try"


def session(events: Any, tag: str) -> bytes:
    content: bytes = events.SummaryMetadata(tag).plugin_data.content
    return content


def test_hparams_dashboard_contains_the_run(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path, read: Callable[[Path], Any]
) -> None:
    from tensorboard.plugins.hparams import metadata

    mnist_job("run", "--config", write_config(TRACKED), "--root", tmp_path / "root", "--set", "trainer.epochs=4")
    run = run_of(tmp_path / "root")
    start = metadata.parse_session_start_info_plugin_data(session(read(run), metadata.SESSION_START_INFO_TAG))
    assert start.group_name == run.name
    assert start.hparams["trainer.epochs"].number_value == 4
    assert start.hparams["trainer.reports_history"].bool_value is True
    assert not [name for name in start.hparams if not name.startswith(("trainer.", "seed"))]


@parametrize_sample(
    1,
    ("change", "exit_code", "status"),
    [
        ({}, 0, "SUCCESS"),
        ({"evaluator": {**EPOCHS["evaluator"], "accuracy": 0.5}}, 4, "SUCCESS"),
        ({"trainer": {"use": "tests.support.components:BrokenTrainer"}}, 1, "FAILURE"),
    ],
)
def test_hparams_dashboard_contains_the_outcome(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    read: Callable[[Path], Any],
    change: dict[str, Any],
    exit_code: int,
    status: str,
) -> None:
    from tensorboard.plugins.hparams import api_pb2, metadata

    config = write_config({**TRACKED, **change})
    assert mnist_job("run", "--config", config, "--root", tmp_path / "root").exit_code == exit_code
    events = read(run_of(tmp_path / "root"))
    end = metadata.parse_session_end_info_plugin_data(session(events, metadata.SESSION_END_INFO_TAG))
    assert end.status == api_pb2.Status.Value(f"STATUS_{status}")


def test_reused_run_has_its_curves(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    read: Callable[[Path], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = write_config({**TRACKED, "tracking": {"tensorboard": {"directory": "~/elsewhere"}}})
    for _ in range(2):
        mnist_job("run", "--config", config, "--root", tmp_path / "root")
    runs = sorted((tmp_path / "elsewhere").iterdir())
    assert [run.name for run in runs] == sorted(
        path.parent.name for path in (tmp_path / "root/runs").glob("2*/run.json")
    )
    first, second = (by_step(read(run / "validation"), "loss") for run in runs)
    assert first == second


def blocked(root: Path) -> None:
    root.mkdir()
    (root / "tensorboard").write_text("no folder")


def vanished(root: Path) -> None:
    if not (root / "vanished").exists():
        wait_until(lambda: training_files(root), lambda: "no event file of training exists", seconds=20)
        (root / "tensorboard").rename(root / "vanished")


def full(root: Path) -> None:
    """Put the event files on a full disk."""
    wait_until(lambda: training_files(root), lambda: "no event file of training exists", seconds=20)
    for path in training_files(root):
        path.unlink()
        path.symlink_to("/dev/full")


def training_files(root: Path) -> list[Path]:
    """Return the event files of training, which exist after the first epoch."""
    return [*(root / "tensorboard").glob("*/train/events.*")]


@parametrize_sample(
    1,
    ("before", "midway", "message"),
    [
        (blocked, None, "NotADirectoryError: [Errno 20] Not a directory"),
        (None, vanished, "FileNotFoundError: [Errno 2] No such file or directory"),
        (None, full, "OSError: [Errno 28] No space left on device"),
    ],
)
def test_failed_write_causes_one_warning(
    mnist_job: Command,
    write_config: WriteConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: Callable[[Path], None] | None,
    midway: Callable[[Path], None] | None,
    message: str,
) -> None:
    mnist_job("run", "--config", write_config(EPOCHS), "--root", tmp_path / "untracked")
    root = tmp_path / "root"
    if before is not None:
        before(root)
    if midway is not None:
        monkeypatch.setattr(EpochsTrainer, "interrupt", staticmethod(lambda: midway(root)))
    outcome = mnist_job("run", "--config", write_config(TRACKED), "--root", root)
    assert outcome.exit_code == 0
    assert results(root) == results(tmp_path / "untracked")
    (warning,) = [line for line in outcome.stdout.splitlines() if "warning" in line]
    assert warning.startswith(f"warning: tensorboard stopped tracking; the run is not affected: {message}")
