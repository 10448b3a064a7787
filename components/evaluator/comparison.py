"""Comparison of two evaluations on the same test images: paired intervals, McNemar's test, and images that differ."""

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from components.artifacts import (
    ComparedImage,
    DifferenceInterval,
    Evaluation,
    Interval,
    MetricComparison,
    PairedComparison,
    Stored,
)
from components.artifacts.evaluation import METRIC_NAMES
from components.base.errors import DataError
from components.evaluator.baseline import mcnemar
from components.evaluator.calibration import BINS, bin_confidences
from components.evaluator.intervals import paired_interval, percentile_interval, resampled_rows
from components.evaluator.metrics import brier_scores, macro_means
from components.evaluator.predictions import Predictions, read_predictions
from components.inference.probabilities import cross_entropies

MAX_WEIGHTS = 2**22
"""Maximum number of weights in memory: 32 MB."""


def compare_evaluations(first: Stored[Evaluation], second: Stored[Evaluation]) -> PairedComparison:
    """Compare two evaluations image by image; raise DataError if their test images differ."""
    if first.artifact.test_sha256 != second.artifact.test_sha256:
        raise DataError(
            f"{first.directory} and {second.directory} were scored on different test images",
            expected="two evaluations on the same images",
            remedy="compare models that were scored on the same data and the same split",
        )
    one = read_predictions(first)
    other = read_predictions(second).ordered_as(one)
    only_first, only_second = one.right & ~other.right, other.right & ~one.right
    return PairedComparison(
        metrics=_compare_metrics(first.artifact, second.artifact, one, other),
        only_first_right=_compared_images(one, other, only_first, other.confidences),
        only_second_right=_compared_images(one, other, only_second, one.confidences),
        p_value=mcnemar(int(only_first.sum()), int(only_second.sum())),
    )


def _compare_metrics(
    first: Evaluation, second: Evaluation, one: Predictions, other: Predictions
) -> dict[str, MetricComparison]:
    of_one, of_other = _ImageScores(one), _ImageScores(other)
    count = len(one.labels)
    resamples = resampled_rows(one.labels)
    values = []
    while rows := [*islice(resamples, max(1, MAX_WEIGHTS // count))]:
        weights = np.stack([np.bincount(drawn, minlength=count) for drawn in rows]).astype(np.float64)
        values.append(of_other.metrics(weights) - of_one.metrics(weights))
    estimates = (of_other.metrics(np.ones((1, count))) - of_one.metrics(np.ones((1, count))))[0].tolist()
    intervals = {
        name: _of_difference(percentile_interval(of_metric, estimate))
        for name, of_metric, estimate in zip(METRIC_NAMES, np.concatenate(values).T, estimates, strict=True)
    }
    if not np.array_equal(one.probabilities, other.probabilities):  # else they are one model, without any difference
        intervals["accuracy"] = _accuracy_interval(one, other)
    of_second = second.metrics.values()
    return {
        name: MetricComparison(
            first=value, second=of_second[name], difference=of_second[name] - value, interval=intervals.get(name)
        )
        for name, value in first.metrics.values().items()
        if name in of_second
    }


def _of_difference(interval: Interval | None) -> DifferenceInterval | None:
    return None if interval is None else DifferenceInterval.model_validate(interval.model_dump())


def _accuracy_interval(one: Predictions, other: Predictions) -> DifferenceInterval:
    both, only_first = int((one.right & other.right).sum()), int((one.right & ~other.right).sum())
    only_second = int((other.right & ~one.right).sum())
    return paired_interval(both, only_first, only_second, len(one.labels) - both - only_first - only_second)


class _ImageScores:
    """Scores of a model by image, whose weighted sums give its metrics on resampled images."""

    def __init__(self, predictions: Predictions) -> None:
        labels, probabilities = predictions.labels, predictions.probabilities
        bins, confidences, right = bin_confidences(labels, probabilities)
        gaps = (bins[:, np.newaxis] == np.arange(BINS)) * (confidences - right)[:, np.newaxis]
        means = [right, cross_entropies(labels, probabilities), brier_scores(labels, probabilities)]
        self._scores = np.column_stack([*means, gaps])
        # A resample keeps the number of images of each class, so the diagonal of the matrix follows from the errors.
        self._classes = probabilities.shape[1]
        self._class_sizes = np.bincount(labels, minlength=self._classes)
        self._wrong = np.flatnonzero(~right)
        cells = (labels * self._classes + predictions.classes)[self._wrong]
        self._wrong_cells = (cells[:, np.newaxis] == np.arange(self._classes**2)).astype(np.float64)

    def metrics(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the metrics, in the order of `METRIC_NAMES`, with each image weighted: float64 [resamples, images]."""
        sums = weights @ self._scores / weights.shape[1]
        matrices = (weights[:, self._wrong] @ self._wrong_cells).reshape(-1, self._classes, self._classes)
        diagonal = np.arange(self._classes)
        matrices[:, diagonal, diagonal] = self._class_sizes - matrices.sum(axis=2)
        precision, recall, f1 = macro_means(matrices).T
        values = {
            "accuracy": sums[:, 0],
            "loss": sums[:, 1],
            "brier_score": sums[:, 2],
            "calibration_error": np.abs(sums[:, 3:]).sum(axis=1),
            "macro_precision": precision,
            "macro_recall": recall,
            "macro_f1": f1,
        }
        return np.stack([values[name] for name in METRIC_NAMES], axis=1)


def _compared_images(
    first: Predictions, second: Predictions, chosen: NDArray[np.bool_], wrong_confidence: NDArray[np.float32]
) -> tuple[ComparedImage, ...]:
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(-wrong_confidence[rows], kind="stable")]
    return tuple(
        ComparedImage(
            row=row,
            image=first.images[row].tobytes().hex(),
            label=int(first.labels[row]),
            first=int(first.classes[row]),
            first_confidence=float(first.confidences[row]),
            second=int(second.classes[row]),
            second_confidence=float(second.confidences[row]),
        )
        for row in rows.tolist()
    )
