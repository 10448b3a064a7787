"""Baseline: two models compared on the same images, in any order; other images are refused."""

from math import comb
from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Evaluation, Stored
from components.base.errors import DataError
from components.evaluator.baseline import compare, mcnemar
from components.evaluator.config import EvaluatorConfig
from components.evaluator.evaluation import make_evaluation, write_evaluation
from components.evaluator.predictions import Predictions

IMAGES = np.frombuffer(np.arange(12, dtype=">u8").repeat(2).tobytes(), "V16")
LABELS = np.arange(12) % 3


def predictions_with(wrong: list[int], order: list[int] | None = None) -> Predictions:
    predicted = LABELS.copy()
    predicted[wrong] = (predicted[wrong] + 1) % 3
    rows = list(range(12)) if order is None else order
    return Predictions(LABELS[rows], np.eye(3, dtype=np.float32)[predicted[rows]], IMAGES[rows])


def stored(predictions: Predictions, directory: Path) -> Stored[Evaluation]:
    evaluation = make_evaluation(predictions, ("a", "b", "c"), EvaluatorConfig(thresholds={}), weights_sha256="1" * 64)
    write_evaluation(evaluation, predictions, directory)
    return Stored(evaluation, directory)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    # By hand: 2 * (1 + 12 + 66) / 2**12; all on one side: 2 / 2**6; no difference.
    [(2, 10, 158 / 4096), (10, 2, 158 / 4096), (0, 6, 2 / 64), (0, 0, 1.0), (5, 5, 1.0)],
)
def test_mcnemar_is_the_exact_binomial_test(one: int, other: int, expected: float) -> None:
    assert mcnemar(one, other) == pytest.approx(expected)


def test_mcnemar_is_exact_for_large_numbers() -> None:
    tail = sum(comb(2000, count) for count in range(901))
    assert mcnemar(900, 1100) == pytest.approx(2 * tail / 2**2000, rel=1e-9)


def test_pairs_predictions_by_image_in_any_order(tmp_path: Path) -> None:
    shuffled = [7, 3, 11, 0, 5, 9, 1, 10, 2, 8, 4, 6]
    baseline = stored(predictions_with(wrong=[0, 1, 2]), tmp_path)
    compared = compare(predictions_with(wrong=[2, 3], order=shuffled), baseline, significance=0.05)
    assert (compared.only_model_right, compared.only_baseline_right) == (2, 1)
    assert compared.p_value == mcnemar(2, 1)
    assert compared.metrics == baseline.artifact.metrics
    assert compared.weights_sha256 == "1" * 64


@pytest.mark.parametrize("change", ["image", "label", "fewer"])
def test_refuses_a_baseline_scored_on_other_images(tmp_path: Path, change: str) -> None:
    ours = predictions_with(wrong=[])
    if change == "image":
        other = Predictions(ours.labels, ours.probabilities, np.roll(IMAGES, 1))
    elif change == "label":
        other = Predictions(np.roll(ours.labels, 1), ours.probabilities, ours.images)
    else:
        other = Predictions(ours.labels[:9], ours.probabilities[:9], ours.images[:9])
    with pytest.raises(DataError, match="scored on other test images") as raised:
        compare(ours, stored(other, tmp_path), significance=0.05)
    assert "evaluator.baseline" in raised.value.remedy
