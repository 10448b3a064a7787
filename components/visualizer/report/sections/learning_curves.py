"""Learning curves: loss and accuracy by epoch."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from components.visualizer.figure_data import LearningCurve, learning_curves
from components.visualizer.format import counted, percent, short_percent
from components.visualizer.report.charts import Chart, Series, line_chart
from components.visualizer.report.charts.scale import padded_limits
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData


def render_learning_curves(report: ReportData) -> Markup:
    """Return the section."""
    loss, accuracy = learning_curves(report.model)
    _, highest_loss = padded_limits((*loss.training, *loss.validation))
    accuracy_limits = padded_limits((*accuracy.training, *accuracy.validation), minimum=0, maximum=1)
    charts = (
        _chart(loss, (0.0, highest_loss), "{:g}".format, "{:.4f}".format),
        _chart(accuracy, accuracy_limits, short_percent, percent),
    )
    return render_section(
        "learning_curves",
        epochs=counted(len(report.model.history), "epoch"),
        stopped_early=report.model.stopped_early,
        best_epoch=report.model.best_epoch,
        validation_accuracy=percent(report.model.best.val_accuracy),
        training_accuracy=percent(report.model.best.accuracy),
        charts=charts,
    )


def _chart(
    curve: LearningCurve,
    limits: tuple[float, float],
    format_value: Callable[[float], str],
    format_cell: Callable[[float], str],
) -> Chart:
    training, validation = format_cell(curve.training[-1]), format_cell(curve.validation[-1])
    return line_chart(
        title=curve.title,
        alt=f"{curve.title} by epoch; training ends at {training}, validation at {validation}. "
        f"The best epoch is {curve.best_epoch}.",
        x=curve.epochs,
        x_name="epoch",
        series=[Series("training", curve.training, 1), Series("validation", curve.validation, 2)],
        limits=limits,
        format_value=format_value,
        format_cell=format_cell,
        best=curve.best_epoch if len(curve.epochs) > 1 else None,
    )
