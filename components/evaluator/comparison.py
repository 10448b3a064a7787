"""Comparison of two evaluations on the same test images: paired intervals, McNemar's test, and differing images."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from components.artifacts import ComparedImage, Evaluation, MetricComparison, PairedComparison, Stored
from components.artifacts.evaluation import METRIC_NAMES
from components.base.errors import DataError
from components.evaluator.baseline import mcnemar
from components.evaluator.calibration import BINS, bin_confidences
from components.evaluator.intervals import percentile_interval, resampled_rows
from components.evaluator.metrics import brier_scores, macro_means
from components.evaluator.predictions import Predictions, read_predictions
from components.inference.probabilities import cross_entropies

Statistics = NDArray[np.float64]
"""The built-in metrics, in the order of `METRIC_NAMES`."""


def compare_evaluations(first: Stored[Evaluation], second: Stored[Evaluation]) -> PairedComparison:
    """Compare two evaluations image by image; raise DataError if they are of different test images."""
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
    of_one, of_other = _statistics(one), _statistics(other)
    resamples = [of_other(rows) - of_one(rows) for rows in resampled_rows(one.labels)]
    rows = np.arange(len(one.labels))
    estimates, values = of_other(rows) - of_one(rows), np.array(resamples)
    intervals = {
        name: percentile_interval(values[:, column], float(estimates[column]))
        for column, name in enumerate(METRIC_NAMES)
    }
    of_second = second.metrics.values()
    return {
        name: MetricComparison(
            first=value, second=of_second[name], difference=of_second[name] - value, interval=intervals.get(name)
        )
        for name, value in first.metrics.values().items()
        if name in of_second
    }


def _statistics(predictions: Predictions) -> Callable[[NDArray[np.int64]], Statistics]:
    """Return a function from rows of the images, int64 [count], to the metrics of these images."""
    labels, probabilities = predictions.labels, predictions.probabilities
    classes = probabilities.shape[1]
    cells = labels * classes + predictions.classes
    bins, confidences, right = bin_confidences(labels, probabilities)
    gaps = confidences - right
    means = {
        "accuracy": right,
        "loss": cross_entropies(labels, probabilities),
        "brier_score": brier_scores(labels, probabilities),
    }

    def statistics(rows: NDArray[np.int64]) -> Statistics:
        matrix = np.bincount(cells[rows], minlength=classes * classes).reshape(1, classes, classes)
        precision, recall, f1 = macro_means(matrix)[0]
        values = {name: of_image[rows].mean() for name, of_image in means.items()} | {
            "calibration_error": np.abs(np.bincount(bins[rows], gaps[rows], BINS)).sum() / len(rows),
            "macro_precision": precision,
            "macro_recall": recall,
            "macro_f1": f1,
        }
        return np.array([values[name] for name in METRIC_NAMES])

    return statistics


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
