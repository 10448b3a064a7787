"""The blessing: conditions that a model must meet, of its own and against a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from components.artifacts import Blessing, Check
from components.base.component import ComponentConfig
from components.base.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.artifacts import Baseline, ClassMetrics, InfraValidation, Metrics, Slice

Bound = Annotated[float, Field(strict=True)]
Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
MetricName = Literal[
    "accuracy", "loss", "brier_score", "calibration_error", "macro_precision", "macro_recall", "macro_f1"
]
ClassMetricName = Literal["precision", "recall", "f1"]
EVERY = "every"
"""Stands for all classes, or all slices."""


class Threshold(ComponentConfig):
    """Bounds of one metric, both included."""

    minimum: Bound | None = None
    """The least that is enough."""
    maximum: Bound | None = None
    """The most that is allowed."""

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> Threshold:
        if self.minimum is None and self.maximum is None:
            raise ValueError("a threshold needs a minimum or a maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"the minimum {self.minimum:g} is above the maximum {self.maximum:g}")
        return self

    def met_by(self, value: float) -> bool:
        """Return whether a value is within the bounds."""
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)


def bless(*checks: Check) -> Blessing:
    """Return the verdict: blessed if every check is passed, and rubber-stamped if none of them is of a change.

    Args:
        checks: all of them, in the order in which they are to be told.
    """
    passed, compared = all(check.passed for check in checks), any(check.kind == "change" for check in checks)
    return Blessing(
        verdict="BLESSED" if passed else "NOT_BLESSED", rubber_stamped=passed and not compared, checks=checks
    )


def check_infra(validation: InfraValidation) -> Check:
    """Hold what is served against the model in memory."""
    difference = validation.largest_difference
    return Check(
        kind="infra",
        metric="difference of the SavedModel",
        maximum=validation.tolerance,
        value=difference,
        passed=difference is not None and difference <= validation.tolerance,
    )


def check_metrics(metrics: Metrics, thresholds: Mapping[MetricName, Threshold]) -> Iterator[Check]:
    """Hold figures over the whole test split against their thresholds."""
    for name, threshold in thresholds.items():
        yield _check(name, getattr(metrics, name), threshold)


def check_classes(
    classes: tuple[ClassMetrics, ...], thresholds: Mapping[str, Mapping[ClassMetricName, Threshold]]
) -> Iterator[Check]:
    """Hold the figures of single classes, or of every class, against their thresholds.

    Raises:
        ConfigError: if there is no such class.
    """
    return _check_rows(
        {f"class/{row.name}": row for row in classes}, thresholds, "class/", place="evaluator.class_thresholds"
    )


def check_slices(
    slices: tuple[Slice, ...], thresholds: Mapping[str, Mapping[Literal["accuracy"], Threshold]]
) -> Iterator[Check]:
    """Hold the accuracy of single slices, or of every slice, against their thresholds.

    Raises:
        ConfigError: if there is no such slice.
    """
    return _check_rows({found.key: found for found in slices}, thresholds, "", place="evaluator.slice_thresholds")


def check_changes(metrics: Metrics, baseline: Baseline, thresholds: Mapping[MetricName, Threshold]) -> Iterator[Check]:
    """Hold the difference to a baseline against its thresholds.

    Of accuracy, the paired test has a say. A model is turned down as worse only if it is so beyond noise, and
    taken for better, where the minimum is above 0, only if it is so beyond noise.

    Args:
        metrics: of the model.
        baseline: what it is compared with.
        thresholds: bounds of the difference, model less baseline.
    """
    for name, threshold in thresholds.items():
        change = getattr(metrics, name) - getattr(baseline.metrics, name)
        check = _check(name, change, threshold)
        update: dict[str, object] = {"kind": "change"}
        if name == "accuracy":
            certain = baseline.p_value < baseline.significance
            promises_more = threshold.minimum is not None and threshold.minimum > 0
            passed = check.passed and certain if promises_more else check.passed or not certain
            update |= {"p_value": baseline.p_value, "passed": passed}
        yield check.model_copy(update=update)


def _check(metric: str, value: float, threshold: Threshold, of: str = "") -> Check:
    return Check(
        metric=metric,
        of=of,
        minimum=threshold.minimum,
        maximum=threshold.maximum,
        value=value,
        passed=threshold.met_by(value),
    )


def _check_rows(
    rows: Mapping[str, object], thresholds: Mapping[str, Mapping[Any, Threshold]], prefix: str, *, place: str
) -> Iterator[Check]:
    """Hold single rows, or every one, against the thresholds of their names.

    Args:
        rows: what has the metrics, by what a check calls it.
        thresholds: bounds by name and metric; a name is without the prefix.
        prefix: of all that checks call rows.
        place: of the thresholds in the configuration.

    Raises:
        ConfigError: if there is no row of a name.
    """
    for name, bounds in thresholds.items():
        if name != EVERY and prefix + name not in rows:
            raise ConfigError(
                f"{place} names `{name}`, which the test split does not have",
                expected=f"one of {', '.join([EVERY, *(of.removeprefix(prefix) for of in rows)])}",
                remedy="correct the name; the model is kept, and the job goes on from there",
            )
        for of in rows if name == EVERY else [prefix + name]:
            for metric, threshold in bounds.items():
                yield _check(metric, getattr(rows[of], metric), threshold, of=of)
