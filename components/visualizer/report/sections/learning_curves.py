"""Learning curves: loss and accuracy by epoch, or by training step."""

from markupsafe import Markup

from components.html.charts import Series, line_chart
from components.html.drawing import padded_limits
from components.html.format import percent, short_percent
from components.visualizer.learning_curves import learning_curves
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData


def render_learning_curves(report: ReportData) -> Markup:
    model, curves = report.model, learning_curves(report.model, report.steps)
    loss, accuracy = curves
    _, highest_loss = padded_limits((*loss.training, *(value for _, value in loss.validated)))
    accuracies = (*accuracy.training, *(value for _, value in accuracy.validated))
    charts = [
        line_chart(
            title=curve.title,
            alt=f"{curve.title} by {curve.x_name}; training ends at {format_cell(curve.training[-1])}, validation at "
            f"{format_cell(curve.validated[-1][1])}. The best epoch is {model.best_epoch}.",
            x=curve.x,
            x_name=curve.x_name,
            series=[Series("training", curve.training, 1), Series("validation", curve.validation, 2)],
            limits=limits,
            format_value=format_value,
            format_cell=format_cell,
            best=(curve.best, f"best epoch: {model.best_epoch}") if len(model.history) > 1 else None,
        )
        for curve, limits, format_value, format_cell in (
            (loss, (0.0, highest_loss), "{:g}".format, "{:.4f}".format),
            (accuracy, padded_limits(accuracies, minimum=0, maximum=1), short_percent, percent),
        )
    ]
    return render_section("learning_curves", model=model, x_name=loss.x_name, charts=charts)
