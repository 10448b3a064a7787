"""Intervals and calibration, compared with values computed by hand and with each other."""

import numpy as np
import pytest

from components.evaluator.calibration import calibration_error, calibration_error_interval, reliability
from components.evaluator.intervals import bootstrap_intervals, wilson_interval
from components.evaluator.metrics import brier_score, score

LABELS = np.array([0, 0, 1, 1])
PROBABILITIES = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.05, 0.95]], dtype=np.float32)


def test_brier_score_equals_the_value_by_hand() -> None:
    assert brier_score(LABELS, PROBABILITIES) == pytest.approx((2 * 0.01 + 2 * 0.16 + 2 * 0.49 + 2 * 0.0025) / 4)
    assert brier_score(np.array([0]), np.array([[0, 1]], dtype=np.float32)) == 2


def test_calibration_error_equals_the_value_by_hand() -> None:
    table = reliability(LABELS, PROBABILITIES)  # 0.9 and 0.95 in different bins of a fifteenth
    assert sum(found.count for found in table) == 4
    expected = (abs(0.9 - 1) + abs(0.6 - 1) + abs(0.7 - 0) + abs(0.95 - 1)) / 4
    assert calibration_error(table) == pytest.approx(expected, abs=1e-6)


def test_confidence_and_accuracy_of_a_bin_are_means() -> None:
    probabilities = np.tile(np.array([[0.7, 0.3]], dtype=np.float32), (10, 1))
    labels = np.array([0] * 7 + [1] * 3)
    (found,) = (row for row in reliability(labels, probabilities) if row.count)
    assert found.confidence == pytest.approx(0.7)
    assert found.accuracy == 0.7
    assert found.low < 0.7 <= found.high
    assert calibration_error(reliability(labels, probabilities)) == pytest.approx(0, abs=1e-6)


def test_bootstrap_of_a_proportion_is_near_the_wilson_interval() -> None:
    groups = np.array([[180, 20]])
    (interval,) = bootstrap_intervals(groups, lambda drawn: drawn[:, 0, :1] / 200)
    wilson = wilson_interval(180, 200)
    assert interval.low == pytest.approx(wilson.low, abs=0.01)
    assert interval.high == pytest.approx(wilson.high, abs=0.01)
    assert (interval.method, interval.resamples, interval.confidence) == ("bootstrap", 1000, 0.95)


def test_macro_intervals_include_their_metric_and_are_repeatable() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 5, 400)
    predicted = np.where(random.random(400) < 0.8, labels, random.integers(0, 5, 400))
    probabilities = np.eye(5, dtype=np.float32)[predicted] * np.float32(0.9) + np.float32(0.02)
    metrics, again = (score(labels, probabilities, tuple("abcde")).metrics for _ in "12")
    assert metrics == again
    for name in ("macro_precision", "macro_recall", "macro_f1", "calibration_error"):
        interval = getattr(metrics, f"{name}_interval")
        assert interval.method == "bootstrap"
        assert interval.low < getattr(metrics, name) < interval.high
        assert 0.02 < interval.high - interval.low < 0.2


def test_calibration_error_interval_narrows_with_more_images() -> None:
    def width(images: int) -> float:
        random = np.random.default_rng(2)
        confident = np.full(images, 0.8)
        labels = (random.random(images) > 0.7).astype(np.int64)  # right in 70 of 100, sure of 80
        probabilities = np.stack([confident, 1 - confident], axis=1).astype(np.float32)
        interval = calibration_error_interval(labels, probabilities)
        assert interval.low < calibration_error(reliability(labels, probabilities)) < interval.high
        return interval.high - interval.low

    assert width(400) == pytest.approx(2 * width(1600), rel=0.25)


@pytest.mark.parametrize(("classes", "each"), [(10, 3), (100, 1)])
def test_intervals_of_perfect_predictions_have_no_width(classes: int, each: int) -> None:
    labels = np.repeat(np.arange(classes), each)
    probabilities = np.eye(classes, dtype=np.float32)[labels]
    metrics = score(labels, probabilities, tuple(map(str, range(classes)))).metrics
    for name in ("macro_precision", "macro_recall", "macro_f1"):
        interval = getattr(metrics, f"{name}_interval")
        assert (interval.low, interval.high) == (1.0, 1.0)


def test_nearly_certain_confidences_are_not_rounded_to_certain() -> None:
    labels = np.zeros(10_000, dtype=np.int64)
    probabilities = np.tile(np.array([[0.99955, 0.00045]], dtype=np.float32), (10_000, 1))
    interval = calibration_error_interval(labels, probabilities)
    assert interval.low == pytest.approx(0.00045, abs=1e-6) == interval.high


def test_interval_of_a_calibrated_model_includes_its_error() -> None:
    random = np.random.default_rng(3)
    confident = random.uniform(0.5, 1.0, 1000)
    labels = (random.random(1000) > confident).astype(np.int64)
    probabilities = np.stack([confident, 1 - confident], axis=1).astype(np.float32)
    interval = calibration_error_interval(labels, probabilities)
    assert interval.low < calibration_error(reliability(labels, probabilities)) < interval.high
