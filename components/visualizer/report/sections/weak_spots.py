"""Weak spots: the slices that the network reads worst, and what spoilt images do to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.artifacts import SEVERITIES
from components.visualizer.report.charts import Chart, IntervalRow, Series, Table, interval_chart, line_chart
from components.visualizer.report.format import between, counted, percent, short_percent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.artifacts import CorruptionCurve, Evaluation, Robustness, Slice


@dataclass(frozen=True)
class Slices:
    """What is said of slices."""

    told: str
    worst: Chart
    all: Table


@dataclass(frozen=True)
class Spoilt:
    """What is said of robustness."""

    told: str
    panels: tuple[Chart, ...]
    table: Table


@dataclass(frozen=True)
class WeakSpots:
    """What the section shows; None for what was not looked at."""

    slices: Slices | None
    robustness: Spoilt | None


def tell_weak_spots(evaluation: Evaluation) -> WeakSpots:
    """Return the section."""
    return WeakSpots(
        slices=_slices(evaluation) if evaluation.slices else None,
        robustness=None if evaluation.robustness is None else _robustness(evaluation.robustness),
    )


def _slices(evaluation: Evaluation) -> Slices:
    worst = evaluation.worst_slices()
    accuracy = evaluation.metrics.accuracy
    chart = interval_chart(
        title="The worst slices",
        alt=f"Accuracy of the {len(worst)} worst slices, with intervals: "
        + ", ".join(f"{found.key} {percent(found.accuracy)}" for found in worst)
        + ".",
        rows=[
            IntervalRow(found.key, found.accuracy, found.accuracy_interval.low, found.accuracy_interval.high)
            for found in worst
        ],
        table=slice_table(worst),
        form=short_percent,
        rule=accuracy,
        rule_name=f"all images: {percent(accuracy)}",
    )
    return Slices(tell_slices(evaluation), chart, slice_table(worst_first(evaluation)))


def worst_first(evaluation: Evaluation) -> tuple[Slice, ...]:
    """Return all slices, those of the lowest accuracy first."""
    return evaluation.worst_slices(len(evaluation.slices))


def tell_slices(evaluation: Evaluation) -> str:
    """Return which slice is the weakest."""
    first = evaluation.worst_slices()[0]
    return (
        f"The test images, divided by class and by what can be measured on them. The weakest of "
        f"{counted(len(evaluation.slices), 'slice')} is {first.key}{_range(first)}, with {percent(first.accuracy)} of "
        f"{counted(first.count, 'image')} right; over all images it is {percent(evaluation.metrics.accuracy)}."
    )


def slice_table(found: Iterable[Slice]) -> Table:
    """Return the accuracy of slices, with intervals."""
    rows = tuple(
        (
            f"{each.key}{_range(each)}",
            f"{each.count:,}",
            f"{each.count - each.correct:,}",
            percent(each.accuracy),
            between(each.accuracy_interval.low, each.accuracy_interval.high),
        )
        for each in found
    )
    return Table(("Slice", "images", "mistaken", "accuracy", "interval"), rows)


def _range(found: Slice) -> str:
    if found.low is None or found.high is None:
        return ""
    unit = f" {found.unit}" if found.unit else ""
    return f" ({found.low:.3g} to {found.high:.3g}{unit})"


def _robustness(found: Robustness) -> Spoilt:
    curves = hardest_first(found)
    lowest = min(found.clean_accuracy, *(min(curve.accuracies) for curve in curves))
    limits = (0.0 if lowest < 0.6 else max(0.0, lowest - 0.1), 1.0)
    panels = tuple(_panel(curve, found.clean_accuracy, limits) for curve in curves)
    return Spoilt(tell_robustness(found), panels, robustness_table(found))


def hardest_first(found: Robustness) -> list[CorruptionCurve]:
    """Return the curves, those of the lowest mean accuracy first."""
    return sorted(found.curves, key=lambda curve: (sum(curve.accuracies), curve.corruption))


def tell_robustness(found: Robustness) -> str:
    """Return how images were spoilt, and which way is the hardest."""
    worst = hardest_first(found)[0]
    return (
        f"{counted(found.images, 'test image')} were spoilt on purpose, in {counted(len(found.curves), 'way')} and "
        f"{len(SEVERITIES)} severities. Unspoilt, {percent(found.clean_accuracy)} of them are read right; over all "
        f"that was done to them, {percent(found.mean_accuracy)}. Hardest is {worst.corruption}: "
        f"{percent(worst.accuracies[-1])} at severity {SEVERITIES[-1]}."
    )


def robustness_table(found: Robustness) -> Table:
    """Return accuracy by corruption and severity, the hardest first."""
    rows = tuple(
        (
            curve.corruption,
            ", ".join(f"{amount:g}" for amount in curve.amounts) + (f" {curve.unit}" if curve.unit else ""),
            *(percent(accuracy, 1) for accuracy in curve.accuracies),
            percent(sum(curve.accuracies) / len(curve.accuracies), 1),
        )
        for curve in hardest_first(found)
    )
    columns = ("Corruption", "by severity", *(str(severity) for severity in SEVERITIES), "mean")
    return Table(columns, rows)


def _panel(curve: CorruptionCurve, clean: float, limits: tuple[float, float]) -> Chart:
    values = (clean, *curve.accuracies)
    return line_chart(
        title=curve.corruption,
        alt=f"Accuracy under {curve.corruption}: {percent(clean, 1)} without it, "
        f"{percent(curve.accuracies[-1], 1)} at severity {SEVERITIES[-1]}.",
        x=(0, *SEVERITIES),
        x_name="severity",
        series=[Series("accuracy", values, 1)],
        limits=limits,
        form=short_percent,
        written=lambda value: percent(value, 1),
        small=True,
    )
