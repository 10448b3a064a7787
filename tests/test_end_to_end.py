"""The shipped job with all real components: from digits to a blessed model, then reused.

The everyday tests use `digits_run`, the shipped example with a smaller network and fewer epochs.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from components.visualizer.model_card import render_card
from tests.conftest import DIGITS, FinishedRun, run_job_process
from tests.support.markdown import read_markdown
from tests.support.report_data import read_statements
from tests.support.roots import copy_root


def test_digits_train_a_blessed_model(digits_run: FinishedRun) -> None:
    result = digits_run.result
    assert result.exit_code == 0, result.stderr
    record = result.record
    assert record["blessed"] is True
    assert [step["status"] for step in record["steps"]] == ["ran"] * 5
    latest = digits_run.root / "runs" / "latest"
    assert len(list((latest / "visualizer").glob("*.png"))) == 7
    assert "How to reproduce this run" in (latest / "report.html").read_text()
    assert "I0000" not in result.stderr, "TensorFlow logs nothing"
    parts = {step["component"]: [part["name"] for part in step["parts"]] for step in record["steps"]}
    runners = ["fingerprint", "waiting", "look-up"]
    assert parts == {
        "example_gen": [*runners, "imports", "reading", "splitting", "validating", "sealing"],
        "transform": [*runners, "imports", "fitting", "writing", "comparing", "sealing"],
        "trainer": [*runners, "imports", "building", "training", "exporting", "sealing"],
        "evaluator": [
            *(*runners, "imports", "loading", "predicting", "scoring", "slicing", "robustness", "infra validation"),
            *("writing", "sealing"),
        ],
        "visualizer": [*runners, "imports", "reading", "inference", "drawing", "report", "sealing"],
    }
    epochs = [line for line in result.stderr.splitlines() if line.startswith(" epoch")]
    artifacts = {
        slot: json.loads((latest / slot / "manifest.json").read_text())["artifact"]
        for slot in ("transform", "trainer", "evaluator")
    }
    assert len(epochs) == len(artifacts["trainer"]["history"])
    assert artifacts["transform"]["test_sha256"] == artifacts["evaluator"]["test_sha256"]


@pytest.mark.thorough
def test_shipped_example_reaches_its_accuracy(tmp_path: Path) -> None:
    record = run_job_process("run", "--config", DIGITS, "--root", tmp_path / "root", "--json").record
    assert record["blessed"] is True
    assert record["metrics"]["accuracy"] >= 0.975


def test_model_card_depends_on_the_manifests_only(digits_run: FinishedRun) -> None:
    latest = digits_run.root / "runs" / "latest"
    card = (latest / "visualizer" / "model_card.md").read_text()
    assert card == render_card(read_statements(latest))
    sections, record = read_markdown((latest / "model_card.md").read_text()), digits_run.result.record
    accuracy = f"{record['metrics']['accuracy'] * 100:.2f} %"
    assert sections["Metrics"].tables[0][1][:2] == ["accuracy", accuracy]
    assert [row[0].split()[0] for row in sections["Slices"].tables[0][1:6]] == [
        each["key"] for each in record["worst_slices"]
    ]
    assert [row[3] for row in sections["The run"].tables[0][1:]] == [step["digest"] for step in record["steps"]]


def test_saved_model_reaches_the_recorded_accuracy(digits_run: FinishedRun, tmp_path: Path) -> None:
    import tensorflow as tf

    root = copy_root(digits_run.root, tmp_path / "root")
    record = run_job_process("run", "--config", digits_run.config, "--root", root, "--json").record
    assert [step["status"] for step in record["steps"]] == ["reused"] * 5
    import pandas as pd

    latest = root / "runs" / "latest"
    test = pd.read_parquet(latest / "example_gen" / "test/00000.parquet")
    images = np.stack(test["image"].to_list()).reshape(-1, 28, 28)
    signature = tf.saved_model.load(str(latest / "trainer" / "saved_model")).signatures["serving_default"]
    right = signature(images=tf.constant(images))["label"].numpy() == test["label"].to_numpy()
    assert right.mean() == pytest.approx(record["metrics"]["accuracy"])
