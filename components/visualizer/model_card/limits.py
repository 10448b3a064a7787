"""What is known to go wrong, and what nobody looked at: the part of the card to read before the model is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.artifacts import SEVERITIES
from components.visualizer.report.format import APOSTROPHE, between, counted, listed, percent
from components.visualizer.report.sections.weak_spots import hardest_first, worst_first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.artifacts import Calibration, ClassMetrics, Evaluation, Examples
    from components.visualizer.report.report_data import Statements

MOST = 3
"""Of what is worst, so many are named; the tables have all."""


def tell_limits(stated: Statements) -> tuple[str, ...]:
    """Return a sentence or two a limit."""
    evaluation = stated.evaluation
    return (
        *_verdict(evaluation),
        *_slices(evaluation),
        *_classes(evaluation),
        *_corruptions(evaluation),
        *_confidence(evaluation),
        *_data(stated),
        *_unseen(stated),
    )


def _verdict(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.blessing.verdict != "BLESSED":
        yield "It is not blessed: it failed what was asked of it, and is not to be used."
    elif evaluation.blessing.rubber_stamped:
        yield "It is blessed without a comparison: nothing says whether an earlier model is better."


def _slices(evaluation: Evaluation) -> Iterator[str]:
    worst = [found for found in worst_first(evaluation) if found.accuracy < evaluation.metrics.accuracy][:MOST]
    if worst:
        told = [
            f"{found.key} ({percent(found.accuracy)} of {counted(found.count, 'image')} right, "
            f"{percent(found.accuracy_interval.confidence, 0)} interval "
            f"{between(found.accuracy_interval.low, found.accuracy_interval.high)})"
            for found in worst
        ]
        yield f"Its weakest slices: {listed(told)}."


def _classes(evaluation: Evaluation) -> Iterator[str]:
    def worst(metric: str) -> list[ClassMetrics]:
        rows = [row for row in evaluation.per_class if row.support and getattr(row, metric) < 1]
        return sorted(rows, key=lambda row: (getattr(row, metric), row.label))[:MOST]

    if missed := worst("recall"):
        told = listed([f"{row.name} (recall {percent(row.recall)})" for row in missed])
        yield f"The {'class' if len(missed) == 1 else 'classes'} that it most often fails to recognize: {told}."
    if mistaken := worst("precision"):
        told = listed([f"{row.name} (precision {percent(row.precision)})" for row in mistaken])
        yield f"The {'answer that is' if len(mistaken) == 1 else 'answers that are'} most often wrong: {told}."


def _corruptions(evaluation: Evaluation) -> Iterator[str]:
    found = evaluation.robustness
    if found is None:
        return
    told = [
        f"{curve.corruption} (to {percent(curve.accuracies[-1], 1)} at severity {SEVERITIES[-1]}, "
        f"{curve.amounts[-1]:g}{f' {curve.unit}' if curve.unit else ''})"
        for curve in hardest_first(found)[:MOST]
    ]
    yield (
        f"What makes accuracy fall most in images that were spoilt: {listed(told)}; unspoilt, "
        f"{percent(found.clean_accuracy, 1)} of these {counted(found.images, 'image')} are read right."
    )


def _confidence(evaluation: Evaluation) -> Iterator[str]:
    found = evaluation.calibration
    if found is None:
        return
    if found.applied:
        yield (
            f"The figures here are after a division of the logits by the temperature {found.temperature:.3f}; the "
            f"model{APOSTROPHE}s own files give probabilities without it."
        )
    elif found.temperature != 1:
        yield (
            f"The answers to the test images have a probability of {percent(mean_confidence(found))} on average, and "
            f"{percent(evaluation.metrics.accuracy)} of them are right. The temperature that fits the validation "
            f"images best, {found.temperature:.3f}, is not applied; with it the calibration error on the test images "
            f"would be {percent(found.scaled_error)} instead of {percent(found.unscaled_error)}."
        )


def mean_confidence(found: Calibration) -> float:
    """Return the mean probability of the answers to the test images."""
    bins = [(bin_.count, bin_.confidence) for bin_ in found.reliability if bin_.confidence is not None]
    return sum(count * confidence for count, confidence in bins) / sum(count for count, _ in bins)


def _data(stated: Statements) -> Iterator[str]:
    shared = stated.transformed.shared_images
    if shared:
        yield f"More than one split has the same {counted(shared, 'image')}: the figures may be too good."
    grave = [found for found in stated.examples.anomalies if found.level != "note"]
    if grave:
        yield f"What was found odd in the data: {listed([found.message for found in grave])}."
    if drifted := _drifted(stated.examples):
        yield f"The data drifted from those that they were held against, in {listed(drifted)}."


def _drifted(examples: Examples) -> list[str]:
    measures = () if examples.drift is None else examples.drift.measures
    return [f"{measure.of} ({measure.split})" for measure in measures if measure.drifted]


def _unseen(stated: Statements) -> Iterator[str]:
    evaluation = stated.evaluation
    missing = [
        what
        for what, found in (
            ("slices of the test images", evaluation.slices),
            ("spoilt images", evaluation.robustness),
            ("calibration beyond its error", evaluation.calibration),
            ("a baseline", evaluation.baseline),
            ("what is served", evaluation.infra_validation),
            ("drift of the data", stated.examples.drift),
        )
        if not found
    ]
    if missing:
        yield f"Not looked at: {listed(missing)}."
    yield (
        "It has no answer for an image that shows none of its classes, or several: it names one all the same. How it "
        "does on images from elsewhere than its data set was not measured."
    )
    yield (
        "Who made the images, how they were collected and who agreed to it, no manifest states; so it is not known "
        "for whom it does better or worse."
    )
