"""Tracking of a real training that is interrupted and resumed, with every tool on."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TINY_NETWORK, WriteConfig, run_job_process
from tests.support.processes import interfered, results

EPOCHS = 3
REAL: dict[str, Any] = {
    "trainer": {"network": TINY_NETWORK, "epochs": EPOCHS, "patience": EPOCHS},
    "evaluator": {"use": "components.testing:FakeEvaluator"},
    "visualizer": {"use": "components.testing:FakeVisualizer"},
}


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_resumed_training_is_tracked_with_identical_weights(
    tmp_path: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    untracked = run_job_process("run", "--config", write_config(REAL), "--root", tmp_path / "untracked")
    root = tmp_path / "root"
    config = write_config({**REAL, "tracking": {"tensorboard": {}, "mlflow": {}}})
    # An epoch has 6 steps: this is in the second epoch.
    terminated = interfered({"at": "step", "count": 9, "do": "TERM"}, "run", "--config", config, "--root", root)
    assert terminated.returncode == 143, terminated.stderr
    resumed = run_job_process("run", "--config", config, "--root", root)
    assert resumed.exit_code == untracked.exit_code == 0, resumed.stderr
    assert "resumed at epoch 2" in resumed.stdout
    assert "warning" not in terminated.stdout + resumed.stdout
    assert results(root) == results(tmp_path / "untracked")

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("mnist-job").experiment_id])
    assert run.info.status == "FINISHED", "it was KILLED before"
    history = json.loads((root / "runs/latest/trainer/manifest.json").read_text())["artifact"]["history"]
    for name in ("loss", "val_accuracy", "learning_rate"):
        points = client.get_metric_history(run.info.run_id, name)
        assert [(point.step, point.value) for point in points] == [(row["epoch"], row[name]) for row in history]
