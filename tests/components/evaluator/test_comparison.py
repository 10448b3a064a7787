"""Two evaluations compared image by image: the same images in any order, paired intervals, and differing images."""

from pathlib import Path

import numpy as np
import pytest

from components import Evaluator
from components.artifacts import DifferenceInterval, Evaluation, PairedComparison, Stored
from components.artifacts.evaluation import METRIC_NAMES
from components.base.errors import DataError
from components.evaluator.comparison import _ImageScores
from components.evaluator.config import EvaluatorConfig
from components.evaluator.evaluation import make_evaluation, write_evaluation
from components.evaluator.intervals import resampled_rows
from components.evaluator.metrics import score
from components.evaluator.predictions import Predictions

COUNT, CLASSES = 300, 4
IMAGES = np.frombuffer(np.arange(COUNT, dtype=">u8").repeat(2).tobytes(), "V16")
LABELS = np.arange(COUNT) % CLASSES


def predictions(seed: int, wrong: list[int], order: list[int] | None = None) -> Predictions:
    """Return predictions that are right except in some rows."""
    random = np.random.default_rng(seed)
    probabilities = random.uniform(0, 0.2, (COUNT, CLASSES)).astype(np.float32)
    probabilities[np.arange(COUNT), (LABELS + np.isin(np.arange(COUNT), wrong)) % CLASSES] += random.uniform(
        0.3, 2, COUNT
    ).astype(np.float32)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    rows = list(range(COUNT)) if order is None else order
    return Predictions(LABELS[rows], probabilities[rows], IMAGES[rows])


def stored(made: Predictions, directory: Path) -> Stored[Evaluation]:
    directory.mkdir()
    evaluation = make_evaluation(made, ("a", "b", "c", "d"), EvaluatorConfig(thresholds={}), weights_sha256="1" * 64)
    write_evaluation(evaluation, made, directory)
    return Stored(evaluation, directory)


def interval_of(compared: PairedComparison, metric: str) -> DifferenceInterval:
    interval = compared.metrics[metric].interval
    assert interval is not None
    return interval


def test_pairs_images_in_any_order(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(COUNT).tolist()
    first = stored(predictions(0, wrong=[3, 4, 5]), tmp_path / "first")
    second = stored(predictions(1, wrong=[5, 8], order=order), tmp_path / "second")
    compared = Evaluator.compare(first, second)
    assert sorted(image.row for image in compared.only_second_right) == [3, 4]
    (found,) = compared.only_first_right
    assert (found.row, found.label, found.first, found.second) == (8, 0, 0, 1)
    assert found.image == IMAGES[8].tobytes().hex()
    assert found.second_confidence > 0.4
    assert compared.p_value == 1.0
    accuracy = compared.metrics["accuracy"]
    assert accuracy.difference == pytest.approx(1 / COUNT)


def test_lists_first_where_the_other_model_is_most_confident(tmp_path: Path) -> None:
    wrong = [*range(20, 40)]
    compared = Evaluator.compare(
        stored(predictions(0, wrong=[]), tmp_path / "first"), stored(predictions(1, wrong=wrong), tmp_path / "second")
    )
    confidences = [image.second_confidence for image in compared.only_first_right]
    assert confidences == sorted(confidences, reverse=True)
    assert {image.row for image in compared.only_first_right} == set(wrong)
    assert compared.p_value == pytest.approx(2 / 2**20)


def test_intervals_contain_the_difference_and_agree_with_sign(tmp_path: Path) -> None:
    compared = Evaluator.compare(
        stored(predictions(0, wrong=[*range(60)]), tmp_path / "first"),
        stored(predictions(1, wrong=[]), tmp_path / "second"),
    )
    assert set(compared.metrics) == set(METRIC_NAMES)
    for name, found in compared.metrics.items():
        assert interval_of(compared, name).low <= found.difference <= interval_of(compared, name).high, name
    for name in ("accuracy", "macro_f1", "macro_recall"):
        assert interval_of(compared, name).low > 0, name
    assert interval_of(compared, "loss").high < 0


def test_model_compared_with_itself_differs_in_nothing(tmp_path: Path) -> None:
    evaluation = stored(predictions(0, wrong=[1, 2]), tmp_path / "one")
    compared = Evaluator.compare(evaluation, evaluation)
    assert compared.only_first_right == compared.only_second_right == ()
    assert {found.difference for found in compared.metrics.values()} == {0}
    for name in METRIC_NAMES:
        assert (interval_of(compared, name).low, interval_of(compared, name).high) == (0, 0), name


def test_weighted_scores_are_the_metrics_of_resampled_images() -> None:
    made = predictions(3, wrong=[*range(0, 90, 2)])
    rows = next(resampled_rows(made.labels))
    weights = np.bincount(rows, minlength=COUNT)[np.newaxis].astype(np.float64)
    drawn = score(made.labels[rows], made.probabilities[rows], ("a", "b", "c", "d")).metrics.values()
    computed = dict(zip(METRIC_NAMES, _ImageScores(made).metrics(weights)[0].tolist(), strict=True))
    assert computed == pytest.approx({name: drawn[name] for name in METRIC_NAMES})


def test_refuses_evaluations_of_other_images(tmp_path: Path) -> None:
    first = stored(predictions(0, wrong=[]), tmp_path / "first")
    made = predictions(0, wrong=[])
    other = stored(Predictions(made.labels, made.probabilities, np.roll(IMAGES, 1)), tmp_path / "second")
    with pytest.raises(DataError, match="different test images"):
        Evaluator.compare(first, other)
