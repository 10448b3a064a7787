"""Evaluation: a model's score on the test split, what is known of its weak spots, and the verdict."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.artifacts.base import Artifact, Count, FileName, Fraction, Sha256, Statement

NonNegative = Annotated[float, Field(ge=0)]
SEVERITIES = (1, 2, 3, 4, 5)
"""Of a corruption, the mildest first."""


class Interval(Statement):
    """A confidence interval, and the method that gave it."""

    low: Fraction
    high: Fraction
    confidence: Fraction = 0.95
    method: Literal["wilson", "bootstrap"]
    """`wilson`: the score interval of a proportion; `bootstrap`: percentiles over resampled test images."""
    resamples: Count = 0
    """Of a bootstrap: how many times the test images were drawn."""


class Metrics(Statement):
    """Figures over the whole test split."""

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


class ClassMetrics(Statement):
    """How well one class is told from the others."""

    label: Count
    name: str
    precision: Fraction
    recall: Fraction
    f1: Fraction
    support: Count
    """Test images of this class."""


class ReliabilityBin(Statement):
    """Test images whose prediction had a confidence within certain limits."""

    low: Fraction
    """Excluded, but for 0."""
    high: Fraction
    """Included."""
    count: Count
    confidence: Fraction | None
    """Mean confidence; None where there is no image."""
    accuracy: Fraction | None
    """Share of right predictions; None where there is no image."""


class Calibration(Statement):
    """How far confidences can be believed, and the temperature that would put them right."""

    reliability: tuple[ReliabilityBin, ...]
    """The reliability table, of bins of equal width."""
    temperature: Annotated[float, Field(gt=0)]
    """Logits divided by it fit the validation split best (C. Guo et al., 2017); above 1 the model is too sure."""
    applied: bool
    """Whether the probabilities of this evaluation, and so all its figures, are after that division."""
    unscaled_loss: NonNegative
    """Cross-entropy on the test split without the temperature, in nats."""
    scaled_loss: NonNegative
    """The same with it."""
    unscaled_error: Fraction
    """Expected calibration error on the test split without the temperature."""
    scaled_error: Fraction
    """The same with it."""


class Slice(Statement):
    """Test images that have something in common."""

    dimension: str
    """What they are told apart by: `class`, `ink`, `thickness` or `size`."""
    name: str
    """Which of that, such as `7` or `least`."""
    low: float | None = None
    """Of a property that is measured: its least value here."""
    high: float | None = None
    """Its largest value here."""
    unit: str = ""
    count: Annotated[int, Field(ge=1)]
    correct: Count
    accuracy: Fraction
    accuracy_interval: Interval

    @property
    def key(self) -> str:
        """What a configuration calls it, such as `ink/least`."""
        return f"{self.dimension}/{self.name}"


class CorruptionCurve(Statement):
    """How accuracy falls as images are spoilt more and more in one way."""

    corruption: str
    unit: str
    amounts: tuple[float, float, float, float, float]
    """How much, by severity, in `unit`."""
    accuracies: tuple[Fraction, Fraction, Fraction, Fraction, Fraction]
    """By severity."""


class Robustness(Statement):
    """Accuracy on images that were spoilt on purpose."""

    images: Annotated[int, Field(ge=1)]
    """Test images that each corruption was tried on at each severity: the same ones."""
    seed: int
    clean_accuracy: Fraction
    """On these images as they are."""
    mean_accuracy: Fraction
    """Over all corruptions and severities."""
    curves: Annotated[tuple[CorruptionCurve, ...], Field(min_length=1)]


class InfraValidation(Statement):
    """The SavedModel, loaded in a process of its own by TensorFlow alone, against the model in memory."""

    images: Annotated[int, Field(ge=1)]
    """Raw test images that both were given."""
    failure: str = ""
    """Why it gave no answers, in a sentence; empty if it did."""
    largest_difference: NonNegative | None
    """Between two probabilities; None if it gave no answers."""
    tolerance: NonNegative
    size: Annotated[int, Field(ge=1)]
    """Of the SavedModel, in bytes."""


class Baseline(Statement):
    """Another model's answers to the same test images, and the paired comparison."""

    weights_sha256: Sha256
    """Of the baseline's model."""
    metrics: Metrics
    only_model_right: Count
    """Images that this model answered rightly and the baseline wrongly."""
    only_baseline_right: Count
    """And the other way round."""
    p_value: Fraction
    """Of McNemar's exact test, two-sided: how probable so uneven a split of the images on which they differ would be,
    were both equally good (Q. McNemar, 1947)."""
    significance: Fraction
    """A difference whose p-value is below it is taken for more than noise."""


CheckKind = Literal["value", "change", "infra"]


class Check(Statement):
    """One condition of the blessing, held against what was measured."""

    kind: CheckKind = "value"
    """`value`: of this model; `change`: from the baseline to it; `infra`: of what is served."""
    metric: str
    of: str = ""
    """The class or slice, such as `class/7`; empty for the whole test split."""
    minimum: float | None = None
    maximum: float | None = None
    value: float | None
    """None if it could not be measured; such a check is not passed."""
    p_value: Fraction | None = None
    """Of a change of accuracy: whether it is more than noise."""
    passed: bool

    @property
    def name(self) -> str:
        """What it looks at, in words: `accuracy`, `recall of class/7`, `change of loss`."""
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
    def _only_the_blessed_are_rubber_stamped(self) -> Blessing:
        if self.rubber_stamped and self.verdict != "BLESSED":
            raise ValueError("what is not blessed is not rubber-stamped")
        return self


class Evaluation(Artifact):
    """A model's score on the test split, and whether it may be used.

    What an evaluator does not look at is None, or empty.
    """

    kind: Literal["evaluation"] = "evaluation"
    test_sha256: Sha256
    """Over the test images and their labels, whatever their order: who has the same was asked the same."""
    weights_sha256: Sha256
    """Of the model."""
    metrics: Metrics
    per_class: tuple[ClassMetrics, ...]
    confusion_matrix: tuple[tuple[Count, ...], ...]
    """Rows are true labels, columns predicted ones."""
    calibration: Calibration | None = None
    slices: tuple[Slice, ...] = ()
    robustness: Robustness | None = None
    infra_validation: InfraValidation | None = None
    baseline: Baseline | None = None
    predictions_file: FileName
    metrics_file: FileName
    blessing: Blessing

    def file_names(self) -> tuple[str, ...]:
        return (self.predictions_file, self.metrics_file)

    def worst_slices(self, most: int = 5) -> tuple[Slice, ...]:
        """Return the slices of the lowest accuracy, the worst first."""
        return tuple(sorted(self.slices, key=lambda found: (found.accuracy, found.key))[:most])
