"""Facts for the limits of the model in the model card."""

from typing import Literal

from components.artifacts import SEVERITIES, Calibration, Evaluation, Robustness
from components.base.formatting import counted
from components.html.format import interval_limits, listed, percent
from components.visualizer.report.sections.slices_and_robustness import corruptions_hardest_first, slices_worst_first
from components.visualizer.statements import Statements

MAX_NAMED = 3
"""How many of the worst slices, classes and corruptions are named; the tables of the card list all."""


def trained_on_test_images(statements: Statements) -> bool:
    """Return whether the training split and the test split have identical images."""
    return any(overlap.images and {*overlap.splits} == {"train", "test"} for overlap in statements.transformed.overlaps)


def worst_slices(evaluation: Evaluation) -> str:
    """Return the slices with the lowest accuracy; empty if all are as good as the whole test split."""
    worst = [each for each in slices_worst_first(evaluation) if each.accuracy < evaluation.metrics.accuracy]
    return listed(
        [
            f"{each.key} ({percent(each.accuracy)} accuracy on {counted(each.count, 'image')}, "
            f"{percent(each.accuracy_interval.confidence, 0)} interval {interval_limits(each.accuracy_interval)})"
            for each in worst[:MAX_NAMED]
        ]
    )


def worst_classes(evaluation: Evaluation, metric: Literal["precision", "recall"]) -> str:
    """Return the classes with the lowest precision or recall; empty if it is 1 for all."""
    values = sorted((getattr(row, metric), row.label, row.name) for row in evaluation.per_class if row.support)
    return listed([f"{name} ({percent(value)})" for value, _, name in values if value < 1][:MAX_NAMED])


def hardest_corruptions(robustness: Robustness) -> str:
    """Return the corruptions that reduce the accuracy most."""
    return listed(
        [
            f"{curve.corruption} ({percent(curve.accuracies[-1], 1)} at severity {SEVERITIES[-1]}, "
            f"{curve.amounts[-1]:g}{f' {curve.unit}' if curve.unit else ''})"
            for curve in corruptions_hardest_first(robustness)[:MAX_NAMED]
        ]
    )


def mean_confidence(calibration: Calibration) -> float:
    bins = [(each.count, each.confidence) for each in calibration.reliability if each.confidence is not None]
    return sum(count * confidence for count, confidence in bins) / sum(count for count, _ in bins)
