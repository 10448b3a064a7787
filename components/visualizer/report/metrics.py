"""The metrics of the model and of its baseline, and the checks of the blessing, as text and tables."""

from typing import Literal

from components.artifacts import Baseline, Blessing, Check, Definition, Evaluation, Metrics
from components.artifacts.evaluation import METRIC_NAMES
from components.base.formatting import counted
from components.html.format import (
    METRIC_FORMATS,
    SPACE,
    TextTable,
    interval_text,
    is_percentage,
    listed,
    metric_bound,
    metric_title,
    metric_value,
    percent,
    points,
    signed,
)

BUILT_IN = sorted(METRIC_NAMES, key=list(METRIC_FORMATS).index)
"""Metrics of every evaluation, in the order of the tables."""
SMALLEST_P_VALUE = 0.001


def metrics_table(metrics: Metrics) -> TextTable:
    """Return every metric with its interval, if it has one, and the method of the interval."""
    return _table(metrics, _names(metrics))


def custom_metrics(evaluation: Evaluation) -> TextTable | None:
    """Return the custom metrics; None without any."""
    names = _names(evaluation.metrics)[len(BUILT_IN) :]
    return _table(evaluation.metrics, names) if names else None


def definitions(evaluation: Evaluation, kind: Literal["metric", "slice"]) -> list[str]:
    """Return a sentence per custom metric, or property of slices: its name, function, options and description."""
    return [_definition(definition) for definition in evaluation.definitions if definition.kind == kind]


def _definition(definition: Definition) -> str:
    options = "".join(f", {name} {value}" for name, value in definition.options.items())
    name = metric_title(definition.name) if definition.kind == "metric" else definition.name
    text = f"{name} ({definition.function}{options})"
    return f"{text}: {definition.description}" if definition.description else text


def _names(metrics: Metrics) -> list[str]:
    return list(dict.fromkeys([*BUILT_IN, *metrics.values()]))


def _table(metrics: Metrics, names: list[str]) -> TextTable:
    rows, values = [], metrics.values()
    for name in names:
        unit, interval = METRIC_FORMATS.get(name, ("", ""))[1], metrics.interval(name)
        value = percent(values[name]) if unit == "%" else f"{values[name]:.4f}"
        rows.append(
            (
                metric_title(name) if unit in ("", "%") else f"{metric_title(name)} ({unit})",
                value if name in BUILT_IN else metric_value(name, values[name]),
                interval_text(interval, name) if interval else "",
            )
        )
    confidence = percent(metrics.accuracy_interval.confidence, 0)
    return TextTable(("Metric", "Test images", f"{confidence} interval"), tuple(rows))


def baseline_comparison(metrics: Metrics, baseline: Baseline) -> str:
    """Return the difference in accuracy and whether it is significant."""
    differing = baseline.only_model_right + baseline.only_baseline_right
    text = (
        f"The baseline classifies {percent(baseline.metrics.accuracy)} of the same images correctly: a change of "
        f"{points(metrics.accuracy - baseline.metrics.accuracy)}. "
    )
    if not differing:
        return text + "Both models are correct on exactly the same images."
    significant = "significant" if baseline.p_value < baseline.significance else "not significant"
    return text + (
        f"Only one of the two is correct on {counted(differing, 'image')}: this model on "
        f"{baseline.only_model_right:,} and the baseline on {baseline.only_baseline_right:,}. The difference is "
        f"{significant} (McNemar’s exact test, {p_value_text(baseline.p_value)})."
    )


def baseline_table(metrics: Metrics, baseline: Baseline) -> TextTable:
    """Return every metric of both models and its change."""
    rows, values, baseline_values = [], metrics.values(), baseline.metrics.values()
    for name in _names(baseline.metrics):
        new, old = values[name], baseline_values[name]
        if is_percentage(name):
            cells = (percent(new), percent(old), points(new - old))
        elif name in BUILT_IN:
            cells = (f"{new:.4f}", f"{old:.4f}", signed(new - old, ".4f"))
        else:
            cells = (metric_value(name, new), metric_value(name, old), _change(name, new - old))
        rows.append((metric_title(name), *cells))
    return TextTable(("Metric", "This model", "Baseline", "Change"), tuple(rows))


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


def p_value_text(p_value: float) -> str:
    return (f"p < {SMALLEST_P_VALUE}" if p_value < SMALLEST_P_VALUE else f"p = {p_value:.3f}").replace(" ", SPACE)
