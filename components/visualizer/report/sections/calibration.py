"""Calibration: how far the confidence of an answer can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.visualizer.report.charts import Chart, Series, Table, bar_chart
from components.visualizer.report.charts.reliability import reliability_chart
from components.visualizer.report.format import interval_words, percent

if TYPE_CHECKING:
    from components.artifacts import Calibration, Evaluation


@dataclass(frozen=True)
class CalibrationSection:
    """What the section shows; no charts where calibration was not looked at."""

    told: str
    charts: tuple[Chart, ...] = ()
    temperature: str = ""
    figures: Table | None = None


def tell_calibration(evaluation: Evaluation) -> CalibrationSection:
    """Return the section."""
    found, told = evaluation.calibration, tell_error(evaluation)
    if found is None:
        return CalibrationSection(told)
    names = tuple(f"{bin_.high * 100:.0f}" for bin_ in found.reliability)
    reliability = reliability_chart("Right answers by confidence", found.reliability)
    counts = bar_chart(
        title="Answers by confidence, on a logarithmic scale",
        alt="Test images by the confidence of the answer, on a logarithmic scale.",
        names=names,
        x_name="confidence up to, in per cent",
        series=[Series("images", tuple(float(bin_.count) for bin_ in found.reliability), 1)],
        form=lambda value: f"{value:,.0f}",
        table=reliability.table,
        logarithmic=True,
    )
    return CalibrationSection(told, (reliability, counts), tell_temperature(found), temperature_table(found))


def tell_error(evaluation: Evaluation) -> str:
    """Return how far confidence and accuracy are apart."""
    metrics = evaluation.metrics
    told = (
        f"Confidence and accuracy are {percent(metrics.calibration_error)} apart on average: that is the expected "
        f"calibration error, with an interval of {interval_words(metrics.calibration_error_interval)}."
    )
    return told if evaluation.calibration else told + " This evaluation looked no further into it."


def tell_temperature(found: Calibration) -> str:
    """Return whether the model is too sure, and whether that was put right."""
    sure = "so there it is as sure as it may be"
    if found.temperature != 1:
        sure = (
            "above 1, so there it is too sure of itself"
            if found.temperature > 1
            else "below 1, so there it could be surer than it is"
        )
    use = (
        "All figures here are after that division."
        if found.applied
        else "It is not applied: all figures here are without it."
    )
    return (
        f"The temperature that puts the confidences right on the validation images is {found.temperature:.3f}, {sure}. "
        f"{use}"
    )


def temperature_table(found: Calibration) -> Table:
    """Return what the temperature does on the test images."""
    return Table(
        ("On the test images", "Without temperature", "With it"),
        (
            ("loss (nats)", f"{found.unscaled_loss:.4f}", f"{found.scaled_loss:.4f}"),
            ("calibration error", percent(found.unscaled_error), percent(found.scaled_error)),
        ),
    )
