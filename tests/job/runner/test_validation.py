"""A job on anomalous data: messages, exit codes, and the configured levels."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import FAKES, Command, run_job_process
from tests.support.data import IDX_NAMES, squares, write_idx, write_idx_folder


@pytest.fixture
def flawed(tmp_path: Path) -> Path:
    """Return a configuration of data whose test set has an empty image and an image of the training set."""
    folder = write_idx_folder(tmp_path / "idx")
    images, _ = squares(100, seed=1)
    images[3] = 0
    images[17] = squares(200)[0][7]
    write_idx(folder / IDX_NAMES["test"][0], images)
    config = tmp_path / "flawed.yaml"
    source = {"kind": "idx", "path": str(folder)}
    config.write_text(yaml.safe_dump({**FAKES, "example_gen": {"source": source, "split": {"strategy": "official"}}}))
    return config


def test_anomaly_of_level_error_exits_with_3(flawed: Path, tmp_path: Path) -> None:
    outcome = run_job_process(
        *("run", "--config", flawed, "--root", tmp_path / "root"),
        *("--set", "example_gen.checks.duplicates_across_splits=error"),
    )
    assert outcome.exit_code == 3
    output = outcome.stdout + outcome.stderr
    assert "2 images are equal to one of another split" in output
    assert "1 image is empty, every pixel 0: 1 in test" in output
    assert "which is train/7 in the source" in output
    assert "set example_gen.checks.duplicates_across_splits to `warning`" in output
    assert "Traceback" not in output


def test_anomaly_of_level_warning_is_printed(mnist_job: Command, flawed: Path, tmp_path: Path) -> None:
    outcome = mnist_job("run", "--config", flawed, "--root", tmp_path / "root", "--until", "example_gen")
    assert outcome.exit_code == 0
    assert "warning: 1 image is empty, every pixel 0: 1 in test (test/" in outcome.stdout
    (manifest,) = (tmp_path / "root" / "artifacts" / "example_gen").glob("*/manifest.json")
    artifact: dict[str, Any] = json.loads(manifest.read_bytes())["artifact"]
    assert [anomaly["check"] for anomaly in artifact["anomalies"]] == ["constant_images", "duplicates_across_splits"]
    assert (manifest.parent / artifact["anomalies_file"]).is_file()


@pytest.mark.parametrize(("level", "valid"), [("off", True), ("note", True), ("on", False), ("false", False)])
def test_level_off_is_text(mnist_job: Command, flawed: Path, tmp_path: Path, level: str, valid: bool) -> None:
    arguments = ("--config", flawed, "--set", f"example_gen.checks.constant_images={level}")
    outcome = mnist_job("run", *arguments, "--root", tmp_path / "root", "--until", "example_gen")
    assert outcome.exit_code == (0 if valid else 2)
    assert "empty" not in outcome.stdout
    if not valid:
        assert "expected: one of off, note, warning, error" in outcome.stderr


def test_drift_is_measured_from_the_last_blessed_run(mnist_job: Command, tmp_path: Path) -> None:
    folder, config, root = write_idx_folder(tmp_path / "idx", test=0), tmp_path / "config.yaml", tmp_path / "root"
    source = {"kind": "idx", "path": str(folder)}
    config.write_text(yaml.safe_dump({**FAKES, "example_gen": {"source": source, "baseline": "latest-blessed"}}))

    def examples() -> dict[str, Any]:
        record = json.loads((root / "runs" / "latest" / "run.json").read_bytes())
        assert record["blessed"]
        manifest = json.loads((Path(record["steps"][0]["path"]) / "manifest.json").read_bytes())
        artifact: dict[str, Any] = manifest["artifact"]
        return artifact

    mnist_job("run", "--config", config, "--root", root)
    before = examples()
    images, _ = squares(200)
    write_idx(folder / IDX_NAMES["train"][0], images + 30)
    outcome = mnist_job("run", "--config", config, "--root", root)
    assert "warning: ink drift from the baseline (Jensen-Shannon): 1.000 in train" in outcome.stdout
    after = examples()
    assert before.get("drift") is None
    assert after["drift"]["content_sha256"] == before["source"]["identity"]["content_sha256"]
    assert len(after["drift"]["measures"]) == 9
