"""Runs compared by the command: what differs first, and the test images that only one model classifies correctly."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FAKES, Command, run_job_in_process
from tests.support.roots import copy_root


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    (folder / "config.yaml").write_text(json.dumps(FAKES))
    for name, accuracy in (("base", 0.9), ("worse", 0.5)):
        options = ("--root", folder / "root", "--name", name, "--set", f"evaluator.accuracy={accuracy}")
        run_job_in_process("run", "--config", folder / "config.yaml", *options)
    return folder / "root"


@pytest.fixture
def root(two_runs: Path, tmp_path: Path) -> Path:
    return copy_root(two_runs, tmp_path / "root")


def compared(mnist_job: Command, root: Path, *names: object) -> dict[str, Any]:
    result = mnist_job("compare", *names, "--root", root, "--json")
    assert result.exit_code == 0, result.stderr
    return result.record


def test_names_first_step_that_differs_and_its_config(mnist_job: Command, root: Path) -> None:
    found = compared(mnist_job, root, "base", "worse")
    (comparison,) = found["comparisons"]
    assert comparison["first_difference"] == {
        "component": "evaluator",
        "result": "differs",
        "reasons": ["config accuracy 0.9 → 0.5"],
    }
    assert comparison["config"] == [{"key": "evaluator.accuracy", "before": 0.9, "after": 0.5}]
    assert [step["result"] for step in comparison["steps"]] == ["same", "same", "same", "differs", "differs"]
    assert comparison["source_files"] == comparison["packages"] == comparison["environment"] == []
    assert comparison["same_data"] is True
    assert [run["name"] for run in found["runs"]] == ["base", "worse"]


def test_lists_images_that_one_model_classifies_correctly(mnist_job: Command, root: Path) -> None:
    (comparison,) = compared(mnist_job, root, "base", "worse")["comparisons"]
    paired = comparison["paired"]
    assert paired["only_second_right"] == []
    count, images = (
        json.loads((root / "runs/latest/run.json").read_text())["metrics"]["count"],
        paired["only_first_right"],
    )
    assert len(images) == round(count * 0.9) - round(count * 0.5)
    assert images[0]["label"] == images[0]["first"] != images[0]["second"]
    assert images[0]["id"].startswith("train/"), "the row in the source"
    assert paired["p_value"] == pytest.approx(2 * 0.5 ** len(images))
    accuracy = paired["metrics"]["accuracy"]
    assert accuracy["difference"] == accuracy["second"] - accuracy["first"]
    assert accuracy["interval"]["low"] <= accuracy["difference"] <= accuracy["interval"]["high"] < 0
