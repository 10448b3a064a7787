"""The checks of a verdict, in words: what was looked at, what was measured, what was asked, and the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.visualizer.report.format import SPACE, bound, is_share, listed, measured, points, signed, title_of

if TYPE_CHECKING:
    from components.artifacts import Blessing, Check

CERTAIN = 0.001
"""Of a p-value below it, nobody cares how far."""


@dataclass(frozen=True)
class CheckRow:
    """One condition as a table has it."""

    name: str
    value: str
    bound: str
    passed: bool
    result: str


def tell_checks(blessing: Blessing) -> tuple[CheckRow, ...]:
    """Return all conditions, the failed ones first."""
    return tuple(_row(check) for check in sorted(blessing.checks, key=lambda check: check.passed))


def _row(check: Check) -> CheckRow:
    word = "\N{CHECK MARK} passed" if check.passed else "\N{BALLOT X} failed"
    within = check.value is not None and not (
        (check.minimum is not None and check.value < check.minimum)
        or (check.maximum is not None and check.value > check.maximum)
    )
    # The paired test has a say: a small loss, or gain, may be noise.
    noise = ", within noise" if check.p_value is not None and within != check.passed else ""
    return CheckRow(name_of(check), _value(check), bounds_of(check), check.passed, word.replace(" ", SPACE) + noise)


def name_of(check: Check) -> str:
    """Return what a check looks at, in words."""
    name = f"change of {title_of(check.metric)}" if check.kind == "change" else title_of(check.metric)
    return f"{name} of {check.of}" if check.of else name


def _value(check: Check) -> str:
    if check.value is None:
        return "not measured"
    bounds = [value for value in (check.minimum, check.maximum) if value is not None]
    told = _change(check.metric, check.value) if check.kind == "change" else measured(check.metric, check.value, bounds)
    return told if check.p_value is None else f"{told} ({p_words(check.p_value)})"


def bounds_of(check: Check) -> str:
    """Return what was asked, such as `at least 98.5 %`."""
    form = _change if check.kind == "change" else bound
    sides = [("at least", check.minimum), ("at most", check.maximum)]
    return listed([f"{word} {form(check.metric, value)}" for word, value in sides if value is not None])


def _change(metric: str, value: float) -> str:
    return points(value) if is_share(metric) else signed(value, ".4g")


def p_words(p_value: float) -> str:
    """Return a p-value as papers write it."""
    told = "p < 0.001" if p_value < CERTAIN else f"p = {p_value:.3f}"
    return told.replace(" ", SPACE)
