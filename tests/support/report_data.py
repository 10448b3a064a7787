"""Data for reports: the statements of the fakes' artifacts, without TensorFlow."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts import (
    Definition,
    Evaluation,
    Examples,
    Figure,
    Interval,
    Layer,
    Model,
    Stored,
    TransformedExamples,
)
from components.inference.split_images import read_scaled
from components.testing.contract import make_inputs
from components.visualizer.figure_data import ConfidentMistakes, FeatureMaps, Mistake, TestImage
from components.visualizer.model_card import render_card
from components.visualizer.network_kernels import NetworkKernels
from components.visualizer.report import render_report
from components.visualizer.report_data import EmbeddedFigure, ReportData
from components.visualizer.statements import Statements
from components.visualizer.training_images import AugmentedImage, TrainingImages
from job.reporters.run_section import add_run_to_report
from job.store.records import PartRecord, ReferenceRecord, RunRecord, StepRecord
from tests.support.statements import changed, with_all_parts, with_anomalies

COMMAND = "python -m job run --config 'my <config>.yaml'"
LAYERS = (
    Layer(name="convolution_1", kind="Conv2D", output_shape=(16, 16, 16), parameters=160),
    Layer(name="body/flatten", kind="Flatten", output_shape=(None,), parameters=0),
)
ROC = Figure(name="roc", file="roc.png", title="ROC curves", alt="One curve for each class.")
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
BASELINE = ReferenceRecord(
    requested="latest-blessed",
    run_id="20261125-101112-1314abc",
    component="trainer",
    fingerprint="a" * 64,
    digest="b" * 64,
    path="/root/artifacts/trainer/a",
)


def minimal_report_data(folder: Path) -> ReportData:
    """Return the data of the fakes: the evaluation has no optional part, and the model is linear."""
    made = make_inputs(folder)
    transformed = made[TransformedExamples]
    evaluation = made[Evaluation].artifact
    test, names = example_images(transformed)
    mistakes = tuple(
        Mistake(each.row, each.class_name, each.image, names[(each.row + 1) % len(names)], 0.9 - each.row / 50)
        for each in test[:3]
    )
    return ReportData(
        examples=made[Examples].artifact,
        transformed=transformed.artifact,
        model=made[Model].artifact,
        evaluation=evaluation,
        training_images=TrainingImages.read(transformed),
        mistakes=ConfidentMistakes(mistakes, total=len(mistakes), image_count=evaluation.metrics.count),
    )


def example_images(transformed: Stored[TransformedExamples]) -> tuple[tuple[TestImage, ...], tuple[str, ...]]:
    """Return the first test image for each class, and the class names."""
    names = transformed.artifact.class_names
    test = read_scaled(transformed, transformed.artifact.splits.test)
    images = tuple(TestImage(row, names[test.labels[row]], test.images[row]) for row in range(len(names)))
    return images, names


def full_report_data(folder: Path, *, blessed: bool = True, **changes: Any) -> ReportData:
    """Return data with which every section is complete."""
    minimal = minimal_report_data(folder)
    random = np.random.default_rng(0)
    (epoch,) = minimal.model.history
    epochs = [
        changed(epoch, epoch=n, loss=2.0 / n, accuracy=1 - 0.8 / n, val_loss=1.8 / n, val_accuracy=1 - 0.7 / n)
        for n in range(1, 13)
    ]
    images, _ = example_images(Stored(minimal.transformed, folder / "TransformedExamples"))
    convolutions = tuple(
        random.normal(size=(len(images), 20 // n, 20 // n, filters)).astype("f4")
        for n, filters in ((1, 16), (2, 32), (3, 120))
    )
    values = {
        "examples": with_anomalies(minimal.examples),
        "transformed": minimal.transformed,
        "model": changed(minimal.model, history=tuple(epochs), best_epoch=11, format="keras", layers=LAYERS),
        "evaluation": with_all_parts(minimal.evaluation, blessed=blessed),
        "mistakes": minimal.mistakes,
        "training_images": minimal.training_images,
        "feature_maps": FeatureMaps(images, convolutions),
        "kernels": NetworkKernels("convolution_1", random.normal(size=(16, 3, 3, 1)).astype("f4")),
        "augmented": tuple(AugmentedImage(each.row, each.class_name, each.image, (each.image,) * 3) for each in images),
        "custom_figures": (EmbeddedFigure(ROC, PIXEL),),
    }
    return ReportData(**{**values, **changes})


def with_text(report: ReportData, text: str, *, title: str | None = None) -> ReportData:
    """Return complete data with a text in place of a class name, the title, messages and the source's identity."""
    names, evaluation = (text, *report.examples.class_names[1:]), report.evaluation
    source = changed(report.examples.source, title=title or text, identity={text: text})
    anomalies = tuple(changed(found, message=text) for found in report.examples.anomalies)
    shown = tuple(dataclasses.replace(each, class_name=text, predicted=text) for each in report.mistakes.shown)
    assert report.feature_maps is not None
    images = tuple(dataclasses.replace(each, class_name=text) for each in report.feature_maps.images)
    training = tuple(dataclasses.replace(each, name=text) for each in report.training_images.classes)
    augmented = tuple(dataclasses.replace(each, class_name=text) for each in report.augmented)
    figures = (dataclasses.replace(report.custom_figures[0], figure=changed(ROC, title=text, alt=text)),)
    assert report.kernels is not None
    layers = (changed(LAYERS[0], name=text, kind=text),)
    return dataclasses.replace(
        report,
        examples=changed(report.examples, class_names=names, source=source, anomalies=anomalies),
        evaluation=changed(
            evaluation,
            per_class=(changed(evaluation.per_class[0], name=text), *evaluation.per_class[1:]),
            slices=(changed(evaluation.slices[0], name=text), *evaluation.slices[1:]),
            definitions=tuple(
                Definition(name="cost", kind=kind, function="mine:cost", options={text: text}, description=text)
                for kind in ("metric", "slice")
            ),
        ),
        model=changed(report.model, class_names=names, layers=layers),
        training_images=dataclasses.replace(report.training_images, classes=training),
        augmented=augmented,
        kernels=dataclasses.replace(report.kernels, layer=text),
        custom_figures=figures,
        mistakes=ConfidentMistakes(shown, total=3, image_count=18),
        feature_maps=dataclasses.replace(report.feature_maps, images=images),
    )


def with_functions(report: ReportData) -> ReportData:
    """Return complete data with a metric, and a slice, that functions define."""
    metrics, baseline, slices = report.evaluation.metrics, report.evaluation.baseline, report.evaluation.slices
    assert baseline is not None
    interval = Interval(low=-0.5, high=1234.5, method="bootstrap", resamples=200)
    evaluation = changed(
        report.evaluation,
        metrics=changed(metrics, mean_cost=2.25, mean_cost_interval=interval),
        baseline=changed(baseline, metrics=changed(baseline.metrics, mean_cost=2.5)),
        slices=(changed(slices[0], dimension="half", name="upper"), *slices),
        definitions=(
            Definition(name="mean_cost", kind="metric", function="mine:cost", options={"a": 1}, description="A cost."),
            Definition(name="half", kind="slice", function="mine:half"),
        ),
    )
    return dataclasses.replace(report, evaluation=evaluation)


def read_statements(run: Path) -> Statements:
    """Return the statements in the manifests of a run."""

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


def report_html(data: ReportData) -> str:
    """Return the report with its model card, before the job adds the run."""
    return render_report(data, render_card(data))


def full_report(folder: Path) -> str:
    """Return the report of a run with which every section is complete."""
    return add_run_to_report(report_html(full_report_data(folder)), run_record(), command=COMMAND)
