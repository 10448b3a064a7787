"""The checks of the blessing as rows of a table."""

from __future__ import annotations

from dataclasses import dataclass

from components.artifacts import Blessing, Check
from components.visualizer.format import (
    SPACE,
    is_percentage,
    listed,
    metric_bound,
    metric_title,
    metric_value,
    points,
    signed,
)

SMALLEST_P_VALUE = 0.001


@dataclass(frozen=True)
class CheckRow:
    """A check, formatted."""

    name: str
    value: str
    bounds: str
    passed: bool
    result: str


def check_rows(blessing: Blessing) -> list[CheckRow]:
    """Return all checks, the failed ones first."""
    return [_row(check) for check in sorted(blessing.checks, key=lambda check: check.passed)]


def check_title(check: Check) -> str:
    """Return what is checked, such as `change of macro F1` or `recall of class/7`."""
    name = f"change of {metric_title(check.metric)}" if check.kind == "change" else metric_title(check.metric)
    return f"{name} of {check.of}" if check.of else name


def check_bounds(check: Check) -> str:
    """Return the bounds of a check, such as `at least 98.5 %`."""
    format_bound = _change if check.kind == "change" else metric_bound
    bounds = [("at least", check.minimum), ("at most", check.maximum)]
    return listed([f"{side} {format_bound(check.metric, value)}" for side, value in bounds if value is not None])


def p_value_text(p_value: float) -> str:
    text = f"p < {SMALLEST_P_VALUE}" if p_value < SMALLEST_P_VALUE else f"p = {p_value:.3f}"
    return text.replace(" ", SPACE)


def _row(check: Check) -> CheckRow:
    result = f"\N{CHECK MARK}{SPACE}passed" if check.passed else f"\N{BALLOT X}{SPACE}failed"
    within_bounds = check.value is not None and not (
        (check.minimum is not None and check.value < check.minimum)
        or (check.maximum is not None and check.value > check.maximum)
    )
    # The result of a check with a significance test can differ from a plain comparison with the bounds.
    if check.p_value is not None and within_bounds != check.passed:
        result += ", within noise"
    return CheckRow(check_title(check), _value(check), check_bounds(check), check.passed, result)


def _value(check: Check) -> str:
    if check.value is None:
        return "not measured"
    if check.kind == "change":
        text = _change(check.metric, check.value)
    else:
        bounds = [bound for bound in (check.minimum, check.maximum) if bound is not None]
        text = metric_value(check.metric, check.value, bounds)
    return text if check.p_value is None else f"{text} ({p_value_text(check.p_value)})"


def _change(metric: str, value: float) -> str:
    return points(value) if is_percentage(metric) else signed(value, ".4g")
