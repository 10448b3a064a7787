"""Blessing: the checks of a model's metrics against thresholds, and the verdict."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from components.artifacts import Baseline, Blessing, Check, ClassMetrics, InfraValidation, Metrics, Slice
from components.base.errors import ConfigError
from components.evaluator.config import EVERY, ClassMetricName, Threshold


def bless(*checks: Check) -> Blessing:
    """Return the verdict: blessed if all checks passed, rubber-stamped if none of them compared with a baseline."""
    passed, compared = all(check.passed for check in checks), any(check.kind == "change" for check in checks)
    return Blessing(
        verdict="BLESSED" if passed else "NOT_BLESSED", rubber_stamped=passed and not compared, checks=checks
    )


def check_infra(validation: InfraValidation) -> Check:
    """Check that the SavedModel predicts the same as the model in memory."""
    value, maximum = validation.largest_difference, validation.tolerance
    passed = value is not None and value <= maximum
    return Check(kind="infra", metric="difference of the SavedModel", maximum=maximum, value=value, passed=passed)


def check_metrics(metrics: Metrics, thresholds: Mapping[str, Threshold]) -> Iterator[Check]:
    """Check metrics of the whole test split."""
    values = metrics.values()
    for name, threshold in thresholds.items():
        yield _check(name, values[name], threshold)


def check_classes(
    classes: tuple[ClassMetrics, ...], thresholds: Mapping[str, Mapping[ClassMetricName, Threshold]]
) -> Iterator[Check]:
    """Check metrics of single classes, or of every class; raise ConfigError for a class that does not exist."""
    rows = {row.name: row for row in classes}
    return _check_rows(rows, thresholds, key="evaluator.class_thresholds", prefix="class/")


def check_slices(
    slices: tuple[Slice, ...], thresholds: Mapping[str, Mapping[Literal["accuracy"], Threshold]]
) -> Iterator[Check]:
    """Check the accuracy of single slices, or of every slice; raise ConfigError for a slice that does not exist."""
    return _check_rows({row.key: row for row in slices}, thresholds, key="evaluator.slice_thresholds")


def check_changes(metrics: Metrics, baseline: Baseline, thresholds: Mapping[str, Threshold]) -> Iterator[Check]:
    """Check the differences to a baseline: the model's metrics minus those of the baseline.

    For accuracy, the paired test decides too: a model fails as worse only if the difference is significant, and
    passes a minimum above 0 only if the difference is significant.
    """
    values, baseline_values = metrics.values(), baseline.metrics.values()
    for name, threshold in thresholds.items():
        change = values[name] - baseline_values[name]
        check = _check(name, change, threshold, kind="change")
        if name == "accuracy":
            significant = baseline.p_value < baseline.significance
            must_improve = threshold.minimum is not None and threshold.minimum > 0
            passed = check.passed and significant if must_improve else check.passed or not significant
            check = check.model_copy(update={"p_value": baseline.p_value, "passed": passed})
        yield check


def _check(
    metric: str, value: float, threshold: Threshold, *, of: str = "", kind: Literal["value", "change"] = "value"
) -> Check:
    return Check(kind=kind, metric=metric, of=of, value=value, passed=threshold.met_by(value), **threshold.model_dump())


def _check_rows(
    rows: Mapping[str, object], thresholds: Mapping[str, Mapping[Any, Threshold]], *, key: str, prefix: str = ""
) -> Iterator[Check]:
    for name, bounds in thresholds.items():
        if name != EVERY and name not in rows:
            raise ConfigError(
                f"{key} names `{name}`, which the test split does not have",
                expected=f"one of {', '.join([EVERY, *rows])}",
                remedy="correct the name and run the same command again: the model is kept",
            )
        for row in rows if name == EVERY else [name]:
            for metric, threshold in bounds.items():
                yield _check(metric, getattr(rows[row], metric), threshold, of=f"{prefix}{row}")
