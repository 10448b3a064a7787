"""After kills anywhere around the end of an epoch, history, TensorBoard and MLflow contain each epoch once."""

import json
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import TINY_NETWORK, Command, WriteConfig, run_job_process
from tests.support.processes import interfered, results
from tests.support.trackers import EPOCHS

REAL: dict[str, Any] = {
    "trainer": {"network": TINY_NETWORK, "epochs": 4, "patience": 4},
    "evaluator": {"use": "components.testing:FakeEvaluator"},
    "visualizer": {"use": "components.testing:FakeVisualizer"},
}
METRICS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
LOOP = "components.trainer.training_loop:TrainingLoop"
TENSORBOARD = "job.tracking.tensorboard_tracker:TensorBoardTracker"
MLFLOW = "job.tracking.mlflow_tracker:MlflowTracker"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SQLAlchemy's, by MLflow


@pytest.fixture(autouse=True)
def _quick_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    # TensorBoard imports TensorFlow, which takes seconds, unless this module exists.
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", ModuleType("notf"))


def kill(config: Path, root: Path, at: str, path: str, count: int = 1) -> None:
    plan = {"at": at, "path": path, "count": count, "do": "KILL"}
    killed = interfered(plan, "run", "--config", config, "--root", root)
    assert killed.returncode == -signal.SIGKILL, (plan, killed.stdout, killed.stderr)


def history(root: Path) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = json.loads((root / "runs/latest/trainer/manifest.json").read_text())["artifact"][
        "history"
    ]
    assert [row["epoch"] for row in rows] == [*range(1, len(rows) + 1)]
    return rows


def first_attempt(root: Path) -> str:
    return min(path.parent.name for path in root.glob("runs/2*/run.json"))


def check_tensorboard(root: Path) -> None:
    """Read the event files as TensorBoard does: there is one run, with each epoch of the history once."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (run,) = (root / "tensorboard").iterdir()
    assert run.name == first_attempt(root)
    for part, prefix in (("train", ""), ("validation", "val_")):
        events = EventAccumulator(str(run / part)).Reload()
        for name in ("loss", "accuracy"):
            assert [(event.step, event.value) for event in events.Scalars(name)] == [
                (row["epoch"], pytest.approx(row[f"{prefix}{name}"])) for row in history(root)
            ]
    assert len(EventAccumulator(str(run / "test")).Reload().Scalars("accuracy")) == 1
    assert len(EventAccumulator(str(run)).Reload().Tensors("outcome")) == 1


def check_mlflow(root: Path, uri: str = "") -> None:
    """Read the store with MLflow's client: there is one run, finished, with each epoch of the history once."""
    from mlflow import MlflowClient

    client = MlflowClient(uri or f"sqlite:///{root}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("mnist-job").experiment_id])
    assert (run.info.status, run.info.run_name) == ("FINISHED", first_attempt(root))
    tags = run.data.tags
    assert (tags["outcome"], tags["run_id"]) == ("succeeded", (root / "runs/latest").resolve().name)
    assert not {"failure", "tracking_error"} & tags.keys()
    for name in METRICS:
        points = client.get_metric_history(run.info.run_id, name)
        assert sorted((point.step, point.value) for point in points) == [
            (row["epoch"], row[name]) for row in history(root)
        ]
    for name in run.data.metrics.keys() - METRICS:
        assert len(client.get_metric_history(run.info.run_id, name)) == 1


@pytest.mark.thorough
def test_killed_run_is_continued_in_tensorboard(tmp_path: Path, write_config: WriteConfig, mnist_job: Command) -> None:
    root, config = tmp_path / "root", write_config({**EPOCHS, "tracking": {"tensorboard": {}}})
    kill(config, root, "after", f"{TENSORBOARD}.end_epoch", 2)
    record = mnist_job("run", "--config", config, "--root", root, "--json", "--name", "another").record
    assert record["continues"] == first_attempt(root) != record["run_id"]
    check_tensorboard(root)
    again = mnist_job("run", "--config", config, "--root", root, "--json").record
    assert again["continues"] is None, "the run before is finished"
    assert len([*(root / "tensorboard").iterdir()]) == 2


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["database", "files"])
def test_kills_of_trackers_leave_one_finished_run(tmp_path: Path, write_config: WriteConfig, kind: str) -> None:
    root = tmp_path / "root"
    uri = f"sqlite:///{root}/mlflow.db" if kind == "database" else f"file:{tmp_path}/store"
    config = write_config({**EPOCHS, "tracking": {"tensorboard": {}, "mlflow": {"uri": uri}}})
    kill(config, root, "open", "*/tensorboard/*/validation/events*", 1)  # its first half is written
    kill(config, root, "before", f"{MLFLOW}.begin")
    kill(config, root, "after", f"{MLFLOW}.begin")
    kill(config, root, "before", f"{MLFLOW}.end_epoch", 2)
    kill(config, root, "after", f"{MLFLOW}.end_epoch", 3)
    kill(config, root, "before", f"{MLFLOW}.end")  # the record says that the run succeeded
    assert json.loads((root / "runs/latest/run.json").read_text())["outcome"] == "succeeded"
    kill(config, root, "after", f"{MLFLOW}.end")
    finished = run_job_process("run", "--config", config, "--root", root, "--name", "another")
    assert finished.exit_code == 0, finished.stderr
    assert "warning" not in finished.stdout
    check_tensorboard(root)
    check_mlflow(root, uri)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("checkpoint", "kills"),
    [
        (
            {"every_seconds": 1e-6},
            [
                ("before", f"{LOOP}._end_epoch", 2),  # after the last step
                ("before", "job.tracking.listener:TrackingListener.epoch_end", 2),  # after the checkpoint
            ],
        ),
        ({}, [("after", f"{LOOP}.validate", 2), ("after", f"{MLFLOW}.end_epoch", 3)]),
    ],
    ids=["with checkpoints", "without"],
)
def test_kills_around_the_end_of_an_epoch(
    tmp_path: Path, write_config: WriteConfig, checkpoint: dict[str, float], kills: list[tuple[str, str, int]]
) -> None:
    """Without a checkpoint, epochs that are recorded already are repeated."""
    trainer = {**REAL["trainer"], "checkpoint": checkpoint}
    config = write_config({**REAL, "trainer": trainer})
    untracked = run_job_process("run", "--config", config, "--root", tmp_path / "untracked")
    config = write_config({**REAL, "trainer": trainer, "tracking": {"tensorboard": {}, "mlflow": {}}})
    root = tmp_path / "root"
    for moment in kills:
        kill(config, root, *moment)
    finished = run_job_process("run", "--config", config, "--root", root)
    assert finished.exit_code == untracked.exit_code == 0, finished.stderr
    assert results(root) == results(tmp_path / "untracked")
    check_tensorboard(root)
    check_mlflow(root)
