"""Evaluation: a model's metrics on the test split, its weak spots, and the blessing."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from components.artifacts.base import Artifact, Count, FileName, Fraction, NonNegative, Sha256, Statement

SEVERITIES = (1, 2, 3, 4, 5)
"""Severities of a corruption, as in ImageNet-C (D. Hendrycks and T. Dietterich, 2019)."""
INTERVAL_SUFFIX = "_interval"
"""The interval of the metric `accuracy` is the field `accuracy_interval`."""


class Interval(Statement):
    """A confidence interval and its method."""

    low: float
    high: float
    confidence: Fraction = 0.95
    method: Literal["wilson", "bootstrap"]
    """`wilson`: the score interval of a proportion; `bootstrap`: percentiles over resampled test images."""
    resamples: Count = 0


class Metrics(Statement):
    """Metrics over the whole test split. Custom metrics are further fields."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | Interval] = Field(init=False)

    count: Annotated[int, Field(ge=1)]
    accuracy: Fraction
    accuracy_interval: Interval
    loss: NonNegative
    """Negative log-likelihood: the mean cross-entropy, in nats."""
    brier_score: Annotated[float, Field(ge=0, le=2)]
    """Mean squared distance between probabilities and the truth, summed over classes (G. W. Brier, 1950): 0 to 2."""
    calibration_error: Fraction
    """Expected calibration error over the bins of the reliability table (C. Guo et al., 2017)."""
    calibration_error_interval: Interval
    macro_precision: Fraction
    macro_precision_interval: Interval
    macro_recall: Fraction
    macro_recall_interval: Interval
    macro_f1: Fraction
    macro_f1_interval: Interval

    def values(self) -> dict[str, float]:
        """Return all metrics by name, the built-in ones first."""
        return {name: value for name, value in self if isinstance(value, float)}

    def interval(self, name: str) -> Interval | None:
        """Return the interval of a metric, if it has one."""
        return {key: value for key, value in self if isinstance(value, Interval)}.get(f"{name}{INTERVAL_SUFFIX}")


class ClassMetrics(Statement):
    """Metrics of one class."""

    label: Count
    name: str
    precision: Fraction
    recall: Fraction
    f1: Fraction
    support: Count
    """Test images of this class."""


METRIC_NAMES, CLASS_METRIC_NAMES = (
    tuple(name for name, field in model.model_fields.items() if field.annotation is float)
    for model in (Metrics, ClassMetrics)
)
"""The metrics of the whole test split, and of a class: they may have thresholds, and are in the report's tables."""


class Definition(Statement):
    """A custom metric or property of slices, and the function that computes it."""

    name: str
    kind: Literal["metric", "slice"]
    function: str
    """Such as `my_metrics:confusion_cost`."""
    options: dict[str, JsonValue] = Field(default={})
    description: str = ""
    """First line of the function's docstring."""


class ReliabilityBin(Statement):
    """Test images whose confidence is within an interval."""

    low: Fraction
    """Exclusive, except 0."""
    high: Fraction
    """Inclusive."""
    count: Count
    confidence: Fraction | None
    """Mean confidence; None without images."""
    accuracy: Fraction | None
    """Fraction of correct predictions; None without images."""


class Calibration(Statement):
    """How well confidences match accuracies, and the temperature that corrects them."""

    reliability: tuple[ReliabilityBin, ...]
    """The reliability table, with bins of equal width."""
    temperature: Annotated[float, Field(gt=0)]
    """Dividing the logits by it minimizes the loss on the validation split (C. Guo et al., 2017). Above 1, the model is
    overconfident."""
    applied: bool
    """Whether this evaluation's probabilities, and so all its metrics, include the temperature."""
    unscaled_loss: NonNegative
    """Cross-entropy on the test split without the temperature, in nats."""
    scaled_loss: NonNegative
    unscaled_error: Fraction
    """Expected calibration error on the test split without the temperature."""
    scaled_error: Fraction


class Slice(Statement):
    """Test images that share a property."""

    dimension: str
    """The property: `class`, `ink`, `thickness` or `size`, or the name of a custom one."""
    name: str
    """Its value, such as `7` or `least`."""
    low: float | None = None
    """Smallest value of a measured property in this slice."""
    high: float | None = None
    unit: str = ""
    count: Annotated[int, Field(ge=1)]
    correct: Count
    accuracy: Fraction
    accuracy_interval: Interval

    @property
    def key(self) -> str:
        """The name in a configuration, such as `ink/least`."""
        return f"{self.dimension}/{self.name}"


class CorruptionCurve(Statement):
    """Accuracy by severity of one corruption."""

    corruption: str
    unit: str
    amounts: tuple[float, float, float, float, float]
    """The amount of corruption by severity, in `unit`."""
    accuracies: tuple[Fraction, Fraction, Fraction, Fraction, Fraction]


class Robustness(Statement):
    """Accuracy on corrupted images."""

    images: Annotated[int, Field(ge=1)]
    """Test images, the same ones for every corruption and severity."""
    seed: int
    clean_accuracy: Fraction
    """On these images without corruption."""
    mean_accuracy: Fraction
    """Over all corruptions and severities."""
    curves: Annotated[tuple[CorruptionCurve, ...], Field(min_length=1)]


class InfraValidation(Statement):
    """Comparison of the SavedModel, loaded by TensorFlow alone in a separate process, with the model in memory."""

    images: Annotated[int, Field(ge=1)]
    """Raw test images that both predicted."""
    failure: str = ""
    """Why the SavedModel returned no predictions, in one sentence; empty if it did."""
    largest_difference: NonNegative | None
    """Between two probabilities; None after a failure."""
    tolerance: NonNegative
    size: Annotated[int, Field(ge=1)]
    """Bytes of the SavedModel."""


class QuantizedExport(Statement):
    """Predictions of the export with 8-bit integers on the test split."""

    file: FileName
    accuracy: Fraction
    same_class: Fraction
    """The fraction of the test images that it and the model in memory assign to the same class."""


class Baseline(Statement):
    """Another model's metrics on the same test images, and the paired comparison."""

    weights_sha256: Sha256
    metrics: Metrics
    """Custom metrics are computed again, from the baseline's predictions."""
    only_model_right: Count
    """Images that only this model classifies correctly."""
    only_baseline_right: Count
    """Images that only the baseline classifies correctly."""
    p_value: Fraction
    """p-value of McNemar's exact test, two-sided (Q. McNemar, 1947)."""
    significance: Fraction
    """A difference is significant if its p-value is below this limit."""


class Check(Statement):
    """One condition of the blessing, and the measured value."""

    kind: Literal["value", "change", "infra"] = "value"
    """`value`: of this model; `change`: from the baseline to this model; `infra`: of the SavedModel."""
    metric: str
    of: str = ""
    """The class or slice, such as `class/7`; empty for the whole test split."""
    minimum: float | None = None
    maximum: float | None = None
    value: float | None
    """None if it could not be measured; the check then fails."""
    p_value: Fraction | None = None
    """p-value of a change of accuracy."""
    passed: bool

    @property
    def name(self) -> str:
        """What is checked, such as `accuracy`, `recall of class/7` or `change of loss`."""
        name = f"change of {self.metric}" if self.kind == "change" else self.metric
        return f"{name} of {self.of}" if self.of else name


RUBBER_STAMPED = "rubber-stamped: there was no baseline to compare with"


class Blessing(Statement):
    """The verdict, with every check that led to it."""

    verdict: Literal["BLESSED", "NOT_BLESSED"]
    rubber_stamped: bool = False
    """Blessed without a baseline to compare with."""
    checks: tuple[Check, ...]

    @model_validator(mode="after")
    def _only_the_blessed_are_rubber_stamped(self) -> Self:
        if self.rubber_stamped and self.verdict != "BLESSED":
            raise ValueError("a model that is not blessed cannot be rubber-stamped")
        return self


class Evaluation(Artifact):
    """A model's metrics on the test split, and its blessing. Parts that were not measured are None or empty."""

    kind: Literal["evaluation"] = "evaluation"
    test_sha256: Sha256
    """Over the test images and labels, in any order: equal for evaluations on the same images."""
    weights_sha256: Sha256
    metrics: Metrics
    per_class: tuple[ClassMetrics, ...]
    confusion_matrix: tuple[tuple[Count, ...], ...]
    """Rows are true labels, columns are predicted labels."""
    calibration: Calibration | None = None
    slices: tuple[Slice, ...] = ()
    robustness: Robustness | None = None
    infra_validation: InfraValidation | None = None
    quantized: QuantizedExport | None = None
    """None if the model has no such export."""
    baseline: Baseline | None = None
    definitions: tuple[Definition, ...] = ()
    predictions_file: FileName
    metrics_file: FileName
    blessing: Blessing

    def file_names(self) -> tuple[str, ...]:
        return (self.predictions_file, self.metrics_file)

    def worst_slices(self, count: int = 5) -> tuple[Slice, ...]:
        """Return the slices with the lowest accuracy, the worst first."""
        return tuple(sorted(self.slices, key=lambda found: (found.accuracy, found.key))[:count])
