"""The Evaluator's configuration: what a model must reach, and what else is looked at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.base.component import ComponentConfig
from components.evaluator.blessing import ClassMetricName, MetricName, Share, Threshold
from components.evaluator.robustness_config import RobustnessConfig


class InfraValidationConfig(ComponentConfig):
    """How the SavedModel is tried in a process of its own."""

    images: Annotated[int, Field(strict=True, ge=0, le=1000)] = 200
    """Raw test images that it is given; 0 for no trial."""


class EvaluatorConfig(ComponentConfig):
    """What a model must reach, and what else is looked at."""

    thresholds: dict[MetricName, Threshold] = Field(default={"accuracy": Threshold(minimum=0.9)})
    """Bounds by metric of the whole test split; the model is blessed if all bounds, here and below, are met."""
    class_thresholds: dict[str, dict[ClassMetricName, Threshold]] = Field(default={})
    """Bounds by the name of a class, or `every`, and by metric."""
    slice_thresholds: dict[str, dict[Literal["accuracy"], Threshold]] = Field(default={})
    """Bounds by slice, such as `ink/least`, or `every`, and by metric."""
    change_thresholds: dict[MetricName, Threshold] = Field(default={"accuracy": Threshold(minimum=0.0)})
    """Bounds by metric of the difference to the baseline, if there is one. A difference of accuracy that may be
    noise fails no minimum of 0 or less, and meets none above 0."""
    significance: Share = 0.05
    """A difference of accuracy is more than noise if the p-value of McNemar's exact test is below it."""
    temperature_scaling: Annotated[bool, Field(strict=True)] = False
    """Whether probabilities are divided by the temperature that is fitted on validation before they are scored. What is
    served does not do that by itself."""
    robustness: RobustnessConfig = RobustnessConfig()
    """On which spoilt images the model is tried, too."""
    infra_validation: InfraValidationConfig = InfraValidationConfig()
    """How the SavedModel is tried before the blessing."""
    baseline: str | None = None
    """The model to compare with: `latest-blessed`, a run's id, or the path of a run or of a sealed evaluation."""
