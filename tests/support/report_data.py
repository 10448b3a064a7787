"""Stories for reports: made of the fakes' artifacts, without TensorFlow."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts import Evaluation, Examples, Model, TransformedExamples
from components.io.splits import read_scaled
from components.testing.contract import make_inputs
from components.visualizer.model_card import render_card
from components.visualizer.report import render_report
from components.visualizer.report.report_data import Mistake, ReportData, Response, Statements, TestImage
from job.reporters.run_section import add_run_to_report
from job.store.records import PartRecord, ReferenceRecord, RunRecord, StepRecord
from tests.support.statements import changed, with_anomalies, with_findings

COMMAND = "python -m job run --config 'my <config>.yaml'"


BASELINE = ReferenceRecord(
    requested="latest-blessed",
    run_id="20261125-101112-1314abc",
    component="trainer",
    fingerprint="a" * 64,
    digest="b" * 64,
    path="/root/artifacts/trainer/a",
)


def minimal_report_data(folder: Path) -> ReportData:
    """Return what the fakes make, with nothing beside the least that is stated."""
    made = make_inputs(folder)
    transformed = made[TransformedExamples]
    test = read_scaled(transformed, transformed.artifact.splits.test)
    names = transformed.artifact.class_names
    chosen = tuple(TestImage(row, int(test.labels[row]), test.images[row]) for row in range(len(names)))
    mistakes = tuple(
        Mistake(row, int(test.labels[row]), test.images[row], (int(test.labels[row]) + 1) % len(names), 0.9 - row / 50)
        for row in range(3)
    )
    return ReportData(
        examples=made[Examples].artifact,
        transformed=transformed.artifact,
        model=made[Model].artifact,
        evaluation=made[Evaluation].artifact,
        mistakes=mistakes,
        chosen=chosen,
    )


def full_report_data(folder: Path, *, blessed: bool = True, **changes: Any) -> ReportData:
    """Return a story in which every section has all that it can have."""
    plain = minimal_report_data(folder)
    random = np.random.default_rng(0)
    (epoch,) = plain.model.history
    epochs = [
        changed(epoch, epoch=n, loss=2.0 / n, accuracy=1 - 0.8 / n, val_loss=1.8 / n, val_accuracy=1 - 0.7 / n)
        for n in range(1, 13)
    ]
    responses = tuple(
        Response(f"convolution_{n}", random.normal(size=(len(plain.chosen), 20 // n, 20 // n, filters)).astype("f4"))
        for n, filters in ((1, 16), (2, 32), (3, 120))
    )
    told = {
        "examples": with_anomalies(plain.examples),
        "transformed": plain.transformed,
        "model": changed(plain.model, history=tuple(epochs), best_epoch=11, format="keras"),
        "evaluation": with_findings(plain.evaluation, blessed=blessed),
        "mistakes": plain.mistakes,
        "chosen": plain.chosen,
        "responses": responses,
    }
    return ReportData(**{**told, **changes})


def read_statements(run: Path) -> Statements:
    """Return what the manifests of a run's artifacts state, read from its directory and nothing else."""

    def stated(slot: str) -> str:
        return json.dumps(json.loads((run / slot / "manifest.json").read_text())["artifact"])

    return Statements(
        examples=Examples.model_validate_json(stated("example_gen")),
        transformed=TransformedExamples.model_validate_json(stated("transform")),
        model=Model.model_validate_json(stated("trainer")),
        evaluation=Evaluation.model_validate_json(stated("evaluator")),
    )


def run_record(**changes: Any) -> RunRecord:
    """Return the record of a run of five steps."""
    steps = tuple(
        StepRecord(
            component=slot,
            implementation=f"components:{slot}",
            status="ran",
            reason="first time",
            seconds=2.0 + number,
            cpu_seconds=1.0 + number,
            parts=(PartRecord(name="imports", seconds=0.5, cpu_seconds=0.4),),
            fingerprint=f"{number}" * 64,
            digest=f"{number + 5}" * 64,
            path=f"/root/artifacts/{slot}/{number}",
            references={"baseline": BASELINE} if slot == "evaluator" else {},
            observations={"latency_ms": 1.94, "images_per_second": 5301.2} if slot == "evaluator" else {},
        )
        for number, slot in enumerate(("example_gen", "transform", "trainer", "evaluator", "visualizer"))
    )
    values = {
        "run_id": "20261126-140628-1283464",
        "outcome": "succeeded",
        "exit_code": 0,
        "steps": steps,
        "started": datetime(2026, 11, 26, 14, 6, 28, tzinfo=UTC),
        "seconds": 21.0,
        "cpu_seconds": 16.0,
        "config": {"root": "/root", "trainer": {"epochs": 3, "network": {"filters": [16, 32, 64]}}},
        "environment": {"version": "0.1.0", "python": "3.11.7", "libraries": {"numpy": "2.4.6"}},
    }
    return RunRecord.model_validate({**values, **changes})


def report_html(story: ReportData) -> str:
    """Return the page of a story, with its model card in it."""
    return render_report(story, render_card(story))


def full_report(folder: Path) -> str:
    """Return the report of a run with all that it can have."""
    return add_run_to_report(report_html(full_report_data(folder)), run_record(), command=COMMAND)
