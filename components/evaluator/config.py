"""Configuration of the Evaluator."""

from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from components.artifacts import Metrics
from components.artifacts.evaluation import CLASS_METRIC_NAMES, INTERVAL_SUFFIX, METRIC_NAMES
from components.base.component import ComponentConfig, Seed
from components.evaluator.functions import MetricFunction, NamedFunction, SliceFunction
from components.object_storage.location import Reference

EVERY = "every"
"""In a configuration: all classes, or all slices."""
CLASS = "class"
"""Slices of the images of a class, such as `class/7`."""
MEASURED = ("ink", "thickness", "size")
"""Properties of images that are measured in every evaluation."""
FIFTHS = ("least", "low", "middle", "high", "most")
"""Slices of a measured property, each of a fifth of the images."""
ClassMetricName = Literal[CLASS_METRIC_NAMES]  # type: ignore[valid-type]
CorruptionName = Literal["shift", "rotation", "scale", "noise", "blur", "contrast", "occlusion"]
CORRUPTION_NAMES: tuple[CorruptionName, ...] = get_args(CorruptionName)
UNKNOWN_NAME = "unknown_name"
"""Type of the error for a key that is not one of the known names."""
NAMES_OR_TEXT: JsonDict = {"propertyNames": {"anyOf": [{"enum": [*METRIC_NAMES]}, {"type": "string"}]}}
Bound = Annotated[float, Field(strict=True)]


class Threshold(ComponentConfig):
    """Inclusive bounds of one metric."""

    minimum: Bound | None = None
    """Lowest value that passes."""
    maximum: Bound | None = None
    """Highest value that passes."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.minimum is None and self.maximum is None:
            raise ValueError("a threshold needs a minimum or a maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"the minimum {self.minimum:g} is above the maximum {self.maximum:g}")
        return self

    def met_by(self, value: float) -> bool:
        """Return whether a value is within the bounds."""
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)


class RobustnessConfig(ComponentConfig):
    """Corrupted images for the measurement of robustness."""

    images: Annotated[int, Field(strict=True, ge=0)] = 100
    """Test images per corruption and severity; 0 for no measurement. The number is lower where the corrupted images
    together would be more than a quarter of the test and validation images, and more work than loading the model."""
    corruptions: Annotated[tuple[CorruptionName, ...], Field(min_length=1)] = CORRUPTION_NAMES
    """How images are corrupted."""
    seed: Seed = 0
    """Selects the images, and what is random in a corruption. It does not depend on the job's seed: models are compared
    on the same corrupted images."""

    @field_validator("corruptions")
    @classmethod
    def _check_unique(cls, value: tuple[CorruptionName, ...]) -> tuple[CorruptionName, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a corruption is named twice")
        return value


class InfraValidationConfig(ComponentConfig):
    """Comparison of the SavedModel, served in a separate process, with the model in memory."""

    images: Annotated[int, Field(strict=True, ge=0, le=1000)] = 200
    """Raw test images that are sent to the SavedModel; 0 for no validation."""


def _check_metric_name(name: str, info: ValidationInfo) -> str:
    functions = info.data.get("metrics")  # missing if it is invalid itself
    if functions is not None:
        _check_name(name, [*METRIC_NAMES, *(function.key for function in functions)])
    return name


def _check_slice_name(name: str, info: ValidationInfo) -> str:
    functions = info.data.get("slices")
    if functions is None:
        return name
    data_dependent = [CLASS, *(function.key for function in functions)]
    if name.partition("/")[0] not in data_dependent or not name.partition("/")[2]:
        measured = [f"{each}/{fifth}" for each in MEASURED for fifth in FIFTHS]
        _check_name(name, [EVERY, *(f"{each}/..." for each in data_dependent), *measured])
    return name


def _check_name(name: str, known: list[str]) -> None:
    if name not in known:
        raise PydanticCustomError(UNKNOWN_NAME, "is not one of {names}", {"names": known})


MetricName = Annotated[str, AfterValidator(_check_metric_name)]
SliceName = Annotated[str, AfterValidator(_check_slice_name)]


def _check_functions(functions: tuple[NamedFunction, ...], reserved: tuple[str, ...]) -> None:
    names = [function.key for function in functions]
    for number, name in enumerate(names):
        if not name.isidentifier() or name in reserved or name in names[:number]:
            problem = "is not an identifier" if not name.isidentifier() else "is in use"
            raise ValueError(f"the name `{name}` of {functions[number].use} {problem}; set another `name`")


class EvaluatorConfig(ComponentConfig):
    """Thresholds of the blessing, and the measurements that the evaluation includes."""

    metrics: tuple[MetricFunction, ...] = ()
    """Custom metrics: functions of `labels` and `probabilities`."""
    slices: tuple[SliceFunction, ...] = ()
    """Custom slices: functions of `images` and `labels` that divide the test images."""
    thresholds: dict[MetricName, Threshold] = Field(
        default={"accuracy": Threshold(minimum=0.9)}, json_schema_extra=NAMES_OR_TEXT
    )
    """Bounds per metric of the whole test split. The model is blessed if all bounds, here and below, are met."""
    class_thresholds: dict[str, dict[ClassMetricName, Threshold]] = Field(default={})
    """Bounds per class, or `every`, and metric."""
    slice_thresholds: dict[SliceName, dict[Literal["accuracy"], Threshold]] = Field(default={})
    """Bounds per slice, such as `ink/least`, or `every`, and metric."""
    change_thresholds: dict[MetricName, Threshold] = Field(
        default={"accuracy": Threshold(minimum=0.0)}, json_schema_extra=NAMES_OR_TEXT
    )
    """Bounds per metric of the difference to the baseline, if there is one. A difference of accuracy that is not
    significant fails no minimum of 0 or less, and meets none above 0."""
    significance: Annotated[float, Field(strict=True, gt=0, lt=1)] = 0.05
    """A difference of accuracy is significant if the p-value of McNemar's exact test is below this value."""
    temperature_scaling: Annotated[bool, Field(strict=True)] = False
    """Whether to scale probabilities with the temperature fitted on the validation split before they are scored. The
    exported model does not apply the temperature."""
    robustness: RobustnessConfig = RobustnessConfig()
    """Corrupted images for the measurement of robustness."""
    infra_validation: InfraValidationConfig = InfraValidationConfig()
    """Comparison of the served SavedModel with the model in memory."""
    baseline: Reference | None = None
    """The model to compare with: `latest-blessed`, or any name of a run, or the path of a sealed evaluation."""

    @field_validator("metrics")
    @classmethod
    def _check_metrics(cls, functions: tuple[MetricFunction, ...]) -> tuple[MetricFunction, ...]:
        intervals = (f"{function.key}{INTERVAL_SUFFIX}" for function in functions)
        _check_functions(functions, (*Metrics.model_fields, *intervals))
        return functions

    @field_validator("slices")
    @classmethod
    def _check_slices(cls, functions: tuple[SliceFunction, ...]) -> tuple[SliceFunction, ...]:
        _check_functions(functions, (CLASS, *MEASURED))
        return functions
