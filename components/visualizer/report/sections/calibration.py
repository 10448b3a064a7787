"""Calibration: how well the confidence of the predictions agrees with their accuracy."""

from __future__ import annotations

from markupsafe import Markup

from components.artifacts import Calibration, Evaluation
from components.visualizer.format import TextTable, interval_text, percent
from components.visualizer.report.charts import Series, bar_chart, reliability_chart
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData


def render_calibration(report: ReportData) -> Markup:
    """Return the section, without charts if the evaluation has no calibration."""
    error, calibration = calibration_error_text(report.evaluation), report.evaluation.calibration
    if calibration is None:
        return render_section("calibration", error=error, charts=())
    bins = calibration.reliability
    reliability = reliability_chart("Accuracy by confidence", bins)
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
    return render_section(
        "calibration",
        error=error,
        charts=(reliability, counts),
        temperature=temperature_text(calibration),
        temperature_table=temperature_table(calibration),
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
