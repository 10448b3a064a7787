"""Two models, asked about the same images: paired whatever the order, refused where the images are others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.artifacts import Evaluation, Stored
from components.base.errors import DataError
from components.evaluator.baseline import compare, mcnemar
from components.evaluator.blessing import bless
from components.evaluator.findings import Findings
from components.evaluator.metrics import score
from components.evaluator.predictions import Answers
from components.evaluator.write import write_evaluation

IMAGES = np.frombuffer(np.arange(12, dtype=">u8").repeat(2).tobytes(), "V16")
LABELS = np.arange(12) % 3


def answers_of(wrong: list[int], order: list[int] | None = None) -> Answers:
    predicted = LABELS.copy()
    predicted[wrong] = (predicted[wrong] + 1) % 3
    rows = list(range(12)) if order is None else order
    return Answers(LABELS[rows], np.eye(3, dtype=np.float32)[predicted[rows]], IMAGES[rows])


def stored(answers: Answers, directory: Path) -> Stored[Evaluation]:
    scores = score(answers.labels, answers.probabilities, ("a", "b", "c"))
    evaluation = write_evaluation(answers, scores, bless(), Findings(), weights_sha256="1" * 64, output=directory)
    return Stored(evaluation, directory)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    # By hand: 2 * (1 + 12 + 66) / 2**12; all the same side: 2 / 2**6; nothing to tell them apart.
    [(2, 10, 158 / 4096), (10, 2, 158 / 4096), (0, 6, 2 / 64), (0, 0, 1.0), (5, 5, 1.0)],
)
def test_mcnemar_is_the_exact_binomial_test(one: int, other: int, expected: float) -> None:
    assert mcnemar(one, other) == pytest.approx(expected)


def test_mcnemar_agrees_with_scipy_where_numbers_are_large() -> None:
    from scipy.stats import binomtest

    assert mcnemar(900, 1100) == pytest.approx(binomtest(900, 2000, 0.5).pvalue, rel=1e-9)


def test_answers_are_paired_by_image_whatever_the_order_of_either(tmp_path: Path) -> None:
    shuffled = [7, 3, 11, 0, 5, 9, 1, 10, 2, 8, 4, 6]
    baseline = stored(answers_of(wrong=[0, 1, 2]), tmp_path)
    compared = compare(answers_of(wrong=[2, 3], order=shuffled), baseline, significance=0.05)
    assert (compared.only_model_right, compared.only_baseline_right) == (2, 1)
    assert compared.p_value == mcnemar(2, 1)
    assert compared.metrics == baseline.artifact.metrics
    assert compared.weights_sha256 == "1" * 64


@pytest.mark.parametrize("change", ["image", "label", "fewer"])
def test_a_baseline_that_was_asked_about_other_images_is_refused(tmp_path: Path, change: str) -> None:
    ours = answers_of(wrong=[])
    if change == "image":
        other = Answers(ours.labels, ours.probabilities, np.roll(IMAGES, 1))
    elif change == "label":
        other = Answers(np.roll(ours.labels, 1), ours.probabilities, ours.images)
    else:
        other = Answers(ours.labels[:9], ours.probabilities[:9], ours.images[:9])
    with pytest.raises(DataError, match="scored on other test images") as raised:
        compare(ours, stored(other, tmp_path), significance=0.05)
    assert "evaluator.baseline" in raised.value.remedy
