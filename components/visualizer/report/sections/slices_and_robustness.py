"""Slices and robustness: accuracy on parts of the test images, and on corrupted test images."""

from collections.abc import Iterable

from markupsafe import Markup

from components.artifacts import SEVERITIES, CorruptionCurve, Evaluation, Robustness, Slice
from components.base.formatting import counted
from components.html.charts import IntervalRow, Series, interval_chart, line_chart
from components.html.drawing import Chart
from components.html.format import TextTable, interval_limits, listed, percent, short_percent
from components.visualizer.report.metrics import definitions
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData


def render_slices_and_robustness(report: ReportData) -> Markup:
    """Return the section; empty if the evaluation has neither."""
    evaluation, slices, robustness = report.evaluation, report.evaluation.slices, report.evaluation.robustness
    if not slices and robustness is None:
        return Markup()
    return render_section(
        "slices_and_robustness",
        slices=slices
        and {
            "text": slices_text(evaluation),
            "definitions": definitions(evaluation, "slice"),
            "chart": _slice_chart(evaluation),
            "table": slice_table(slices_worst_first(evaluation)),
        },
        robustness=robustness
        and {
            "text": robustness_text(robustness),
            "charts": _corruption_charts(robustness),
            "table": robustness_table(robustness),
        },
    )


def slices_worst_first(evaluation: Evaluation) -> tuple[Slice, ...]:
    return evaluation.worst_slices(len(evaluation.slices))


def slices_text(evaluation: Evaluation) -> str:
    """Return which slice has the lowest accuracy."""
    worst = evaluation.worst_slices()[0]
    functions = [definition.name for definition in evaluation.definitions if definition.kind == "slice"]
    return (
        f"The test images are divided by {listed(['class', 'measured properties', *functions])}. Of the "
        f"{counted(len(evaluation.slices), 'slice')}, {worst.key}{_range(worst)} has the lowest accuracy: "
        f"{percent(worst.accuracy)} on {counted(worst.count, 'image')}. The accuracy on all images is "
        f"{percent(evaluation.metrics.accuracy)}."
    )


def slice_table(slices: Iterable[Slice]) -> TextTable:
    """Return the accuracy of slices with its interval."""
    rows = tuple(
        (
            f"{each.key}{_range(each)}",
            f"{each.count:,}",
            f"{each.count - each.correct:,}",
            percent(each.accuracy),
            interval_limits(each.accuracy_interval),
        )
        for each in slices
    )
    return TextTable(("Slice", "images", "mistakes", "accuracy", "interval"), rows)


def corruptions_hardest_first(robustness: Robustness) -> list[CorruptionCurve]:
    return sorted(robustness.curves, key=lambda curve: (sum(curve.accuracies), curve.corruption))


def robustness_text(robustness: Robustness) -> str:
    """Return how images were corrupted, and which corruption is the hardest."""
    hardest = corruptions_hardest_first(robustness)[0]
    return (
        f"{counted(robustness.images, 'test image')} were corrupted in {counted(len(robustness.curves), 'way')} at "
        f"{len(SEVERITIES)} severities. The accuracy is {percent(robustness.clean_accuracy)} on the clean images and "
        f"{percent(robustness.mean_accuracy)} on average over all corruptions. The hardest corruption is "
        f"{hardest.corruption}: {percent(hardest.accuracies[-1])} at severity {SEVERITIES[-1]}."
    )


def robustness_table(robustness: Robustness) -> TextTable:
    """Return the accuracy by corruption and severity, the hardest corruption first."""
    rows = tuple(
        (
            curve.corruption,
            ", ".join(f"{amount:g}" for amount in curve.amounts) + (f" {curve.unit}" if curve.unit else ""),
            *(percent(accuracy, 1) for accuracy in curve.accuracies),
            percent(sum(curve.accuracies) / len(curve.accuracies), 1),
        )
        for curve in corruptions_hardest_first(robustness)
    )
    return TextTable(("Corruption", "amount by severity", *(str(severity) for severity in SEVERITIES), "mean"), rows)


def _slice_chart(evaluation: Evaluation) -> Chart:
    worst, accuracy = evaluation.worst_slices(), evaluation.metrics.accuracy
    names = ", ".join(f"{each.key} {percent(each.accuracy)}" for each in worst)
    return interval_chart(
        title="Worst slices",
        alt=f"Accuracy of the {len(worst)} worst slices, with intervals: {names}.",
        rows=[IntervalRow(each.key, each.accuracy, each.accuracy_interval) for each in worst],
        table=slice_table(worst),
        reference=accuracy,
        reference_name=f"all images: {percent(accuracy)}",
    )


def _range(each: Slice) -> str:
    if each.low is None or each.high is None:
        return ""
    unit = f" {each.unit}" if each.unit else ""
    return f" ({each.low:.3g} to {each.high:.3g}{unit})"


def _corruption_charts(robustness: Robustness) -> list[Chart]:
    curves, clean = corruptions_hardest_first(robustness), robustness.clean_accuracy
    lowest = min(clean, *(min(curve.accuracies) for curve in curves))
    limits = (0.0 if lowest < 0.6 else max(0.0, lowest - 0.1), 1.0)
    return [
        line_chart(
            title=curve.corruption,
            alt=f"Accuracy under {curve.corruption}: {percent(clean, 1)} without it, "
            f"{percent(curve.accuracies[-1], 1)} at severity {SEVERITIES[-1]}.",
            x=(0, *SEVERITIES),
            x_name="severity",
            series=[Series("accuracy", (clean, *curve.accuracies), 1)],
            limits=limits,
            format_value=short_percent,
            format_cell=lambda value: percent(value, 1),
            small=True,
        )
        for curve in curves
    ]
