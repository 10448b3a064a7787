"""The limits of the model: its known weaknesses, and everything that was not measured."""

from __future__ import annotations

from collections.abc import Iterator

from components.artifacts import SEVERITIES, Calibration, ClassMetrics, Evaluation, Examples
from components.visualizer.format import counted, interval_limits, listed, percent
from components.visualizer.report.sections.slices_and_robustness import (
    corruptions_hardest_first,
    slices_worst_first,
)
from components.visualizer.report_data import Statements

MAX_NAMED = 3
"""How many of the worst slices, classes and corruptions are named; the tables of the card list all."""


def model_limits(statements: Statements) -> list[str]:
    """Return one or two sentences a limit."""
    evaluation = statements.evaluation
    return [
        *_verdict(evaluation),
        *_slices(evaluation),
        *_classes(evaluation),
        *_corruptions(evaluation),
        *_confidence(evaluation),
        *_data(statements),
        *_not_measured(statements),
    ]


def _verdict(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.blessing.verdict != "BLESSED":
        yield "The model is not blessed: it failed at least one check. Do not use it."
    elif evaluation.blessing.rubber_stamped:
        yield "The model is blessed without a comparison: an earlier model may be better."


def _slices(evaluation: Evaluation) -> Iterator[str]:
    worst = [each for each in slices_worst_first(evaluation) if each.accuracy < evaluation.metrics.accuracy]
    if worst:
        named = [
            f"{each.key} ({percent(each.accuracy)} accuracy on {counted(each.count, 'image')}, "
            f"{percent(each.accuracy_interval.confidence, 0)} interval {interval_limits(each.accuracy_interval)})"
            for each in worst[:MAX_NAMED]
        ]
        yield f"Slices with the lowest accuracy: {listed(named)}."


def _classes(evaluation: Evaluation) -> Iterator[str]:
    for metric in ("recall", "precision"):
        rows = [row for row in evaluation.per_class if row.support and getattr(row, metric) < 1]

        def by_metric(row: ClassMetrics, metric: str = metric) -> tuple[float, int]:
            return getattr(row, metric), row.label

        if worst := sorted(rows, key=by_metric)[:MAX_NAMED]:
            named = listed([f"{row.name} ({percent(getattr(row, metric))})" for row in worst])
            yield f"{'Class' if len(worst) == 1 else 'Classes'} with the lowest {metric}: {named}."


def _corruptions(evaluation: Evaluation) -> Iterator[str]:
    robustness = evaluation.robustness
    if robustness is None:
        return
    named = [
        f"{curve.corruption} ({percent(curve.accuracies[-1], 1)} at severity {SEVERITIES[-1]}, "
        f"{curve.amounts[-1]:g}{f' {curve.unit}' if curve.unit else ''})"
        for curve in corruptions_hardest_first(robustness)[:MAX_NAMED]
    ]
    yield (
        f"Corruptions that reduce the accuracy most: {listed(named)}. The accuracy on the same "
        f"{counted(robustness.images, 'image')} without corruption is {percent(robustness.clean_accuracy, 1)}."
    )


def _confidence(evaluation: Evaluation) -> Iterator[str]:
    calibration = evaluation.calibration
    if calibration is None:
        return
    if calibration.applied:
        yield (
            f"The metrics here are computed with the temperature {calibration.temperature:.3f}; the "
            f"model’s own files give probabilities without it."
        )
    elif calibration.temperature != 1:
        yield (
            f"The mean confidence on the test images is {percent(mean_confidence(calibration))}, the accuracy "
            f"{percent(evaluation.metrics.accuracy)}. The best temperature on the validation images, "
            f"{calibration.temperature:.3f}, is not applied: with it, the calibration error on the test images would "
            f"be {percent(calibration.scaled_error)} instead of {percent(calibration.unscaled_error)}."
        )


def mean_confidence(calibration: Calibration) -> float:
    """Return the mean confidence on the test images."""
    bins = [(each.count, each.confidence) for each in calibration.reliability if each.confidence is not None]
    return sum(count * confidence for count, confidence in bins) / sum(count for count, _ in bins)


def _data(statements: Statements) -> Iterator[str]:
    if shared := statements.transformed.shared_images:
        yield f"More than one split contains the same {counted(shared, 'image')}, so the metrics may be too high."
    if serious := [anomaly.message for anomaly in statements.examples.anomalies if anomaly.level != "note"]:
        yield f"Anomalies in the data: {listed(serious)}."
    if drifted := _drifted(statements.examples):
        yield f"The data drifted from the baseline’s data in {listed(drifted)}."


def _drifted(examples: Examples) -> list[str]:
    measures = () if examples.drift is None else examples.drift.measures
    return [f"{measure.of} ({measure.split})" for measure in measures if measure.drifted]


def _not_measured(statements: Statements) -> Iterator[str]:
    evaluation = statements.evaluation
    measurements = {
        "slices of the test images": evaluation.slices,
        "corrupted images": evaluation.robustness,
        "calibration beyond its error": evaluation.calibration,
        "a baseline": evaluation.baseline,
        "the served model": evaluation.infra_validation,
        "drift of the data": statements.examples.drift,
    }
    if missing := [name for name, measured in measurements.items() if not measured]:
        yield f"Not evaluated: {listed(missing)}."
    yield (
        "The model predicts one of its classes for every image, even if the image shows none of them or several. "
        "Its accuracy on images from other sources was not measured."
    )
    yield (
        "The manifests do not say who made the images, how they were collected, and whether their authors consented. "
        "Differences between groups of people are therefore unknown."
    )
