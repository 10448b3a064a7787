"""Learning curves: loss and accuracy by epoch."""

from markupsafe import Markup

from components.visualizer.figure_data import learning_curves
from components.visualizer.format import percent, short_percent
from components.visualizer.report.charts import Series, line_chart
from components.visualizer.report.drawing import padded_limits
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData


def render_learning_curves(report: ReportData) -> Markup:
    loss, accuracy = learning_curves(report.model)
    _, highest_loss = padded_limits((*loss.training, *loss.validation))
    accuracy_limits = padded_limits((*accuracy.training, *accuracy.validation), minimum=0, maximum=1)
    charts = [
        line_chart(
            title=curve.title,
            alt=f"{curve.title} by epoch; training ends at {format_cell(curve.training[-1])}, validation at "
            f"{format_cell(curve.validation[-1])}. The best epoch is {curve.best_epoch}.",
            x=curve.epochs,
            x_name="epoch",
            series=[Series("training", curve.training, 1), Series("validation", curve.validation, 2)],
            limits=limits,
            format_value=format_value,
            format_cell=format_cell,
            best=curve.best_epoch if len(curve.epochs) > 1 else None,
        )
        for curve, limits, format_value, format_cell in (
            (loss, (0.0, highest_loss), "{:g}".format, "{:.4f}".format),
            (accuracy, accuracy_limits, short_percent, percent),
        )
    ]
    return render_section("learning_curves", model=report.model, charts=charts)
