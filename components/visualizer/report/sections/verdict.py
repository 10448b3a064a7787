"""The verdict: headline, checks, comparison with the baseline, and all metrics."""

from markupsafe import Markup

from components.artifacts import RUBBER_STAMPED, Blessing, Check, Evaluation
from components.visualizer.format import (
    SPACE,
    TextTable,
    counted,
    interval_text,
    is_percentage,
    listed,
    metric_bound,
    metric_title,
    metric_value,
    p_value_text,
    percent,
    plain_number,
    points,
    signed,
)
from components.visualizer.report.charts import IntervalRow, interval_chart
from components.visualizer.report.drawing import Chart
from components.visualizer.report.metrics import baseline_comparison, baseline_table, metrics_table
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData, Statements

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
        metrics=metrics_table(metrics),
    )


def stamp(evaluation: Evaluation) -> str:
    return evaluation.blessing.verdict.replace("_", " ")


def headline(statements: Statements) -> str:
    """Return the result in one sentence, without its full stop."""
    evaluation = statements.evaluation
    accuracy = percent(evaluation.metrics.accuracy)
    start = f"The {statements.model_kind} classifies {accuracy} of unseen images correctly"
    if evaluation.blessing.verdict == "BLESSED":
        return f"{start} and is blessed"
    failed = [check for check in evaluation.blessing.checks if not check.passed]
    if len(failed) != 1:
        return f"{start}, but fails {len(failed)} of {counted(len(evaluation.blessing.checks), 'check')}"
    return f"{start}, but is not blessed: {check_title(failed[0])} must be {check_bounds(failed[0])}"


def introduction(statements: Statements) -> str:
    """Return the most important facts in a paragraph."""
    metrics, model = statements.evaluation.metrics, statements.model
    interval = metrics.accuracy_interval
    text = (
        f"A {statements.model_kind} with {model.parameters:,} parameters, trained for "
        f"{counted(len(model.history), 'epoch')} on {counted(statements.examples.splits.train.count, 'image')}, "
        f"misclassifies {statements.mistake_count:,} of {counted(metrics.count, 'test image')}. The "
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


def check_title(check: Check) -> str:
    """Return what is checked, such as `change of macro F1` or `recall of class/7`."""
    name = f"change of {metric_title(check.metric)}" if check.kind == "change" else metric_title(check.metric)
    return f"{name} of {check.of}" if check.of else name


def check_bounds(check: Check) -> str:
    """Return the bounds of a check, such as `at least 98.5 %`."""
    format_bound = _change if check.kind == "change" else metric_bound
    bounds = [("at least", check.minimum), ("at most", check.maximum)]
    return listed([f"{side} {format_bound(check.metric, value)}" for side, value in bounds if value is not None])


def checks_table(blessing: Blessing) -> TextTable:
    """Return all checks, the failed ones first."""
    rows = tuple(_check_row(check) for check in sorted(blessing.checks, key=lambda check: check.passed))
    return TextTable(("Check", "Measured", "Required", "Result"), rows)


def _check_row(check: Check) -> tuple[str, str, str, str]:
    bounds = [bound for bound in (check.minimum, check.maximum) if bound is not None]
    if check.value is None:
        value = "not measured"
    elif check.kind == "change":
        value = _change(check.metric, check.value)
    else:
        value = metric_value(check.metric, check.value, bounds)
    if check.value is not None and check.p_value is not None:
        value += f" ({p_value_text(check.p_value)})"

    result = f"\N{CHECK MARK}{SPACE}passed" if check.passed else f"\N{BALLOT X}{SPACE}failed"
    within_bounds = check.value is not None and not (
        (check.minimum is not None and check.value < check.minimum)
        or (check.maximum is not None and check.value > check.maximum)
    )
    # The result of a check with a significance test can differ from a plain comparison with the bounds.
    if check.p_value is not None and within_bounds != check.passed:
        result += ", within noise"
    return check_title(check), value, check_bounds(check), result


def _change(metric: str, value: float) -> str:
    return points(value) if is_percentage(metric) else signed(value, ".4g")


def _accuracy_chart(evaluation: Evaluation) -> Chart:
    """Return the accuracy with its interval, the required accuracy, and the baseline if there is one."""
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
