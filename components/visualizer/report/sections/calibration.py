"""Calibration: how well the confidence of the predictions agrees with their accuracy."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from components.artifacts import Calibration, Evaluation, ReliabilityBin
from components.html.charts import Series, bar_chart
from components.html.drawing import REFERENCE, Chart, Plot, Scale, line, marker
from components.html.format import TextTable, interval_text, percent
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData

MAX_RELIABILITY_TICKS = 6


def render_calibration(report: ReportData) -> Markup:
    """Return the section, without charts if the evaluation has no calibration."""
    evaluation, calibration = report.evaluation, report.evaluation.calibration
    return render_section(
        "calibration",
        error=calibration_error_text(evaluation),
        charts=_charts(calibration.reliability) if calibration else (),
        temperature=calibration and temperature_text(calibration),
        temperature_table=calibration and temperature_table(calibration),
    )


def calibration_error_text(evaluation: Evaluation) -> str:
    metrics = evaluation.metrics
    text = (
        f"Confidence and accuracy differ by {percent(metrics.calibration_error)} on average. This is the expected "
        f"calibration error; its interval is {interval_text(metrics.calibration_error_interval)}."
    )
    return text if evaluation.calibration else text + " The evaluation did not analyze calibration any further."


def temperature_text(calibration: Calibration) -> str:
    """Return the best temperature, its meaning, and whether it is applied."""
    temperature = calibration.temperature
    confidence = "overconfident" if temperature > 1 else "underconfident" if temperature < 1 else "well calibrated"
    return (
        f"On the validation images, the best temperature for the logits is {temperature:.3f}: there, the model is "
        f"{confidence}. All metrics here are computed {'with' if calibration.applied else 'without'} this temperature."
    )


def temperature_table(calibration: Calibration) -> TextTable:
    """Return the effect of the temperature on the test images."""
    return TextTable(
        ("Metric on the test images", "Without temperature", "With temperature"),
        (
            ("loss (nats)", f"{calibration.unscaled_loss:.4f}", f"{calibration.scaled_loss:.4f}"),
            ("calibration error", percent(calibration.unscaled_error), percent(calibration.scaled_error)),
        ),
    )


def _charts(bins: Sequence[ReliabilityBin]) -> tuple[Chart, Chart]:
    reliability = _reliability_diagram(bins)
    counts = bar_chart(
        title="Predictions by confidence (logarithmic scale)",
        alt="Number of test images by the confidence of their prediction, on a logarithmic scale.",
        names=tuple(f"{each.high * 100:.0f}" for each in bins),
        x_name="confidence up to, in per cent",
        series=[Series("images", tuple(float(each.count) for each in bins), 1)],
        format_value="{:,.0f}".format,
        table=reliability.table,
        logarithmic=True,
    )
    return reliability, counts


def _reliability_diagram(bins: Sequence[ReliabilityBin]) -> Chart:
    """Return the accuracy of each bin over its mean confidence (A. Niculescu-Mizil et al., 2005)."""
    plot = Plot(height=300)
    x, y = Scale(0, 1, plot.left, plot.right), Scale(0, 1, plot.bottom, plot.top)
    plot.add_y_axis(y, lambda value: percent(value, 0), MAX_RELIABILITY_TICKS)
    plot.add_x_axis("confidence", [(x(tick), percent(tick, 0)) for tick in x.ticks(MAX_RELIABILITY_TICKS)])
    plot.parts.append(line(x(0), y(0), x(1), y(1), "reference"))
    for each in bins:
        if each.confidence is not None and each.accuracy is not None:
            point = x(each.confidence), y(each.accuracy)
            plot.parts.append(line(point[0], y(each.confidence), *point, "span s2"))
            plot.parts.append(marker(*point, 1, round(2 + math.log10(each.count), 1)))
    rows = tuple(
        (
            f"{percent(each.low, 0)} to {percent(each.high, 0)}",
            f"{each.count:,}",
            "" if each.confidence is None else percent(each.confidence),
            "" if each.accuracy is None else percent(each.accuracy),
        )
        for each in bins
    )
    table = TextTable(("Confidence", "images", "mean confidence", "accuracy"), rows)
    plot.add_hover_bands([(x(each.low), x(each.high)) for each in bins], table)
    alt = (
        "Accuracy by confidence, in bins. A dot below the diagonal is a bin whose predictions are overconfident, "
        "a dot above it one whose predictions are underconfident."
    )
    legend = ((REFERENCE, "perfect calibration"), (1, "one bin; larger dots have more images"))
    return Chart("Accuracy by confidence", plot.svg(alt), table, legend)
