"""What an evaluation finds beside the scores: calibration, slices, robustness, what is served, and a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.artifacts import Baseline, Calibration, InfraValidation, Robustness, Slice
from components.evaluator.image_properties import joined, measure
from components.evaluator.robustness import measure_robustness
from components.evaluator.slices import make_slices
from components.io.splits import iterate_scaled, read_scaled

if TYPE_CHECKING:
    from components.artifacts import Stored, TransformedExamples
    from components.base.component import Context
    from components.evaluator.predictions import Answers
    from components.evaluator.robustness_config import RobustnessConfig
    from components.inference.predictor import Predictor

MEASURED = 1000
"""Images whose properties are measured at a time."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What an evaluator may find beside the scores."""

    calibration: Calibration | None = None
    slices: tuple[Slice, ...] = ()
    robustness: Robustness | None = None
    infra_validation: InfraValidation | None = None
    baseline: Baseline | None = None


def slice_answers(answers: Answers, transformed: Stored[TransformedExamples]) -> tuple[Slice, ...]:
    """Return the slices of the answers to the test split, by class and by what can be measured on the images."""
    batches = iterate_scaled(transformed, transformed.artifact.splits.test, rows=MEASURED)
    properties = joined([measure(images) for images in batches])
    return make_slices(answers.labels, answers.predictions, transformed.artifact.class_names, properties)


def spoil_images(
    predict: Predictor,
    transformed: Stored[TransformedExamples],
    config: RobustnessConfig,
    context: Context,
) -> Robustness | None:
    """Return the model's robustness on the test split, at a cost bounded by what is asked of test and validation."""
    splits = transformed.artifact.splits
    test = read_scaled(transformed, splits.test)
    asked = splits.test.count + splits.validation.count
    return measure_robustness(predict, test.images, test.labels, config, asked=asked, check=context.termination.check)
