"""The verdict: headline, checks, comparison with the baseline, and all metrics."""

from markupsafe import Markup

from components.artifacts import RUBBER_STAMPED, Evaluation
from components.base.formatting import counted
from components.html.charts import IntervalRow, interval_chart
from components.html.drawing import Chart
from components.html.format import SPACE, TextTable, interval_text, metric_bound, percent, plain_number
from components.visualizer.figure_data import ConfusionMatrix
from components.visualizer.report.metrics import (
    baseline_comparison,
    baseline_table,
    check_bounds,
    check_title,
    checks_table,
    custom_metrics,
    definitions,
    metrics_table,
)
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData
from components.visualizer.statements import Statements

MAX_CHECKS = 12
"""Further checks are folded; the failed ones come first."""


def render_verdict(report: ReportData) -> Markup:
    """Return the section, with the heading of the page."""
    evaluation = report.evaluation
    metrics, baseline, checks = evaluation.metrics, evaluation.baseline, checks_table(evaluation.blessing).rows
    return render_section(
        "verdict",
        title=report.examples.source.title,
        headline=headline(report),
        introduction=introduction(report),
        blessing=evaluation.blessing,
        stamp=stamp(evaluation),
        rubber_stamped=RUBBER_STAMPED,
        accuracy_chart=_accuracy_chart(evaluation),
        checks=checks[:MAX_CHECKS],
        more_checks=checks[MAX_CHECKS:],
        baseline=baseline and baseline_comparison(metrics, baseline),
        baseline_table=baseline and baseline_table(metrics, baseline),
        infra_validation=infra_validation_text(evaluation),
        quantized=quantized_text(evaluation),
        metrics=metrics_table(metrics),
        custom_metrics=custom_metrics(evaluation),
        definitions=definitions(evaluation, "metric"),
    )


def stamp(evaluation: Evaluation) -> str:
    return evaluation.blessing.verdict.replace("_", " ")


def headline(statements: Statements) -> str:
    """Return the result in one sentence, without its full stop."""
    evaluation = statements.evaluation
    start = f"The {statements.model_kind} classifies {percent(evaluation.metrics.accuracy)} of unseen images correctly"
    if evaluation.blessing.verdict == "BLESSED":
        return f"{start} and is blessed"
    failed = [check for check in evaluation.blessing.checks if not check.passed]
    if len(failed) != 1:
        return f"{start}, but fails {len(failed)} of {counted(len(evaluation.blessing.checks), 'check')}"
    return f"{start}, but is not blessed: {check_title(failed[0])} must be {check_bounds(failed[0])}"


def introduction(statements: Statements) -> str:
    """Return the most important facts in a paragraph."""
    metrics, model = statements.evaluation.metrics, statements.model
    interval, matrix = metrics.accuracy_interval, ConfusionMatrix.from_evaluation(statements.evaluation)
    text = (
        f"A {statements.model_kind} with {model.parameters:,} parameters, trained for "
        f"{counted(len(model.history), 'epoch')} on {counted(statements.examples.splits.train.count, 'image')}, "
        f"misclassifies {matrix.mistakes.sum():,} of {counted(metrics.count, 'test image')}. The "
        f"{percent(interval.confidence, 0)} confidence interval of its accuracy is {percent(interval.low)} to "
        f"{percent(interval.high)}."
    )
    if model.test_time_shift:
        pixels = counted(model.test_time_shift, "pixel")
        text += f" Each prediction is the mean over the image and copies shifted by up to {pixels}."
    return text


def infra_validation_text(evaluation: Evaluation) -> str:
    """Return the result of the infra validation; empty if there was none."""
    validation = evaluation.infra_validation
    if validation is None:
        return ""
    if validation.failure or validation.largest_difference is None:
        return f"The served model was loaded in a separate process and gave no predictions: {validation.failure}"
    return (
        f"The served model, a SavedModel of {validation.size / 1e6:.1f}{SPACE}MB, was loaded in a separate process and "
        f"received {counted(validation.images, 'raw image')}. Its probabilities differ from the model’s by "
        f"at most {plain_number(validation.largest_difference, 'g')} (allowed: "
        f"{plain_number(validation.tolerance, 'g')})."
    )


def quantized_text(evaluation: Evaluation) -> str:
    """Return the accuracy of the export with 8-bit integers; empty without such an export."""
    quantized, accuracy = evaluation.quantized, evaluation.metrics.accuracy
    if quantized is None:
        return ""
    return (
        f"The export with 8-bit integers, {quantized.file}, classifies {percent(quantized.accuracy)} of the test "
        f"images correctly (the model: {percent(accuracy)}), and gives {percent(quantized.same_class)} of them the "
        "model’s class."
    )


def _accuracy_chart(evaluation: Evaluation) -> Chart:
    metrics, baseline = evaluation.metrics, evaluation.baseline
    rows = [IntervalRow("this model", metrics.accuracy, metrics.accuracy_interval)]
    if baseline is not None:
        rows.append(IntervalRow("baseline", baseline.metrics.accuracy, baseline.metrics.accuracy_interval, style=2))
    cells = tuple((row.name, percent(row.value), interval_text(row.interval)) for row in rows)
    required = next(
        (
            check.minimum
            for check in evaluation.blessing.checks
            if (check.kind, check.metric, check.of) == ("value", "accuracy", "") and check.minimum is not None
        ),
        None,
    )
    bound = "" if required is None else metric_bound("accuracy", required)
    confidence = percent(metrics.accuracy_interval.confidence, 0)
    alt = f"Accuracy on the test images, with its {confidence} confidence interval."
    return interval_chart(
        title="Accuracy on the test images",
        alt=f"{alt} The required accuracy is {bound}." if bound else alt,
        rows=rows,
        table=TextTable(("", "accuracy", "interval"), cells),
        reference=required,
        reference_name=f"required: {bound}",
    )
