"""The shipped job, whole and real: digits to a blessed model, then reused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from components.visualizer.model_card import render_card
from tests.conftest import Command, Outcome, run_job
from tests.support.markdown import read_markdown
from tests.support.processes import REPOSITORY
from tests.support.report_data import read_statements

DIGITS = REPOSITORY / "configs" / "digits.yaml"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    root = tmp_path_factory.mktemp("digits")
    return run_job("run", "--config", DIGITS, "--root", root, "--json"), root


def test_the_digits_become_a_blessed_model(digits: tuple[Outcome, Path]) -> None:
    outcome, root = digits
    assert outcome.exit_code == 0, outcome.stderr
    record = outcome.record
    assert record["blessed"] is True
    assert record["metrics"]["accuracy"] >= 0.975
    assert [step["status"] for step in record["steps"]] == ["ran"] * 5
    latest = root / "runs" / "latest"
    assert len(list((latest / "visualizer").glob("*.png"))) == 5
    assert "How to reproduce this run" in (latest / "report.html").read_text()
    assert "I0000" not in outcome.stderr, "TensorFlow keeps quiet"
    parts = {step["component"]: [part["name"] for part in step["parts"]] for step in record["steps"]}
    runners = ["fingerprint", "waiting", "look-up"]
    assert parts == {
        "example_gen": [*runners, "imports", "reading", "splitting", "validating", "sealing"],
        "transform": [*runners, "imports", "scaling", "comparing", "sealing"],
        "trainer": [*runners, "imports", "building", "training", "exporting", "sealing"],
        "evaluator": [
            *(*runners, "imports", "loading", "predicting", "infra validation", "scoring", "slicing", "robustness"),
            *("writing", "sealing"),
        ],
        "visualizer": [*runners, "imports", "reading", "inference", "drawing", "report", "sealing"],
    }
    epochs = [line for line in outcome.stderr.splitlines() if line.startswith("  epoch")]
    manifest = json.loads((latest / "trainer" / "manifest.json").read_text())
    assert len(epochs) == len(manifest["artifact"]["history"])


def test_its_model_card_is_filled_from_the_manifests_alone(digits: tuple[Outcome, Path]) -> None:
    outcome, root = digits
    latest = root / "runs" / "latest"
    card = (latest / "visualizer" / "model_card.md").read_text()
    assert card == render_card(read_statements(latest))
    told, record = read_markdown((latest / "model_card.md").read_text()), outcome.record
    accuracy = f"{record['metrics']['accuracy'] * 100:.2f} %"
    assert told["Metrics"].tables[0][1][:2] == ["accuracy", accuracy]
    assert [row[0].split()[0] for row in told["Slices"].tables[0][1:6]] == [
        each["key"] for each in record["worst_slices"]
    ]
    assert [row[3] for row in told["The run"].tables[0][1:]] == [step["digest"] for step in record["steps"]]


def test_the_saved_model_reads_raw_images_as_the_record_says(
    digits: tuple[Outcome, Path], mnist_job_process: Command
) -> None:
    _, root = digits
    import tensorflow as tf

    record = mnist_job_process("run", "--config", DIGITS, "--root", root, "--json").record
    assert [step["status"] for step in record["steps"]] == ["reused"] * 5
    import pandas as pd

    latest = root / "runs" / "latest"
    test = pd.read_parquet(latest / "example_gen" / "test.parquet")
    images = np.stack(test["image"].to_list()).reshape(-1, 28, 28)
    signature = tf.saved_model.load(str(latest / "trainer" / "saved_model")).signatures["serving_default"]
    right = signature(images=tf.constant(images))["label"].numpy() == test["label"].to_numpy()
    assert right.mean() == pytest.approx(record["metrics"]["accuracy"])
