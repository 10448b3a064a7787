"""Thresholds that a model must meet to be blessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from components.artifacts import Blessing, Check
from components.component import ComponentConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.artifacts import Metrics

Bound = Annotated[float, Field(strict=True)]
MetricName = Literal["accuracy", "loss", "macro_precision", "macro_recall", "macro_f1"]


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


def bless(metrics: Metrics, thresholds: Mapping[MetricName, Threshold]) -> Blessing:
    """Hold each metric against its threshold; the model is blessed if all are met."""
    checks = []
    for name, threshold in thresholds.items():
        value: float = getattr(metrics, name)
        passed = (threshold.minimum is None or value >= threshold.minimum) and (
            threshold.maximum is None or value <= threshold.maximum
        )
        checks.append(
            Check(metric=name, minimum=threshold.minimum, maximum=threshold.maximum, value=value, passed=passed)
        )
    verdict: Literal["BLESSED", "NOT_BLESSED"] = "BLESSED" if all(check.passed for check in checks) else "NOT_BLESSED"
    return Blessing(verdict=verdict, checks=tuple(checks))
