"""Figures of a classifier's answers on labelled images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from components.artifacts import ClassMetrics, Metrics, ReliabilityBin
from components.evaluator.calibration import calibration_error, calibration_error_interval, reliability
from components.evaluator.intervals import bootstrap_intervals, wilson_interval
from components.inference.probabilities import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Scores:
    """All that is counted from one set of answers."""

    metrics: Metrics
    per_class: tuple[ClassMetrics, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]


def score(labels: NDArray[np.int64], probabilities: NDArray[np.float32], class_names: Sequence[str]) -> Scores:
    """Return the scores of a classifier's probabilities.

    Args:
        labels: int64 [count].
        probabilities: float32 [count, classes], each row adding up to 1.
        class_names: one a class, by label.

    A class that is never predicted has precision 0, and one without images recall 0.
    """
    every_label = np.arange(len(class_names))
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=every_label, zero_division=0.0
    )
    correct = int((predicted == labels).sum())
    matrix = confusion_matrix(labels, predicted, labels=every_label)
    intervals = bootstrap_intervals(matrix, _macro_means)
    table = reliability(labels, probabilities)
    return Scores(
        metrics=Metrics(
            count=len(labels),
            accuracy=correct / len(labels),
            accuracy_interval=wilson_interval(correct, len(labels)),
            loss=cross_entropy(labels, probabilities),
            brier_score=brier_score(labels, probabilities),
            calibration_error=calibration_error(table),
            calibration_error_interval=calibration_error_interval(labels, probabilities),
            macro_precision=float(precision.mean()),
            macro_precision_interval=intervals[0],
            macro_recall=float(recall.mean()),
            macro_recall_interval=intervals[1],
            macro_f1=float(f1.mean()),
            macro_f1_interval=intervals[2],
        ),
        per_class=tuple(
            ClassMetrics(
                label=label,
                name=class_names[label],
                precision=float(precision[label]),
                recall=float(recall[label]),
                f1=float(f1[label]),
                support=int(support[label]),
            )
            for label in range(len(class_names))
        ),
        confusion_matrix=tuple(tuple(row) for row in matrix.tolist()),
        reliability=table,
    )


def brier_score(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Return the mean squared distance between probabilities and the truth (G. W. Brier, 1950), from 0 to 2."""
    truth = np.eye(probabilities.shape[1])[labels]
    return min(2.0, float(((probabilities - truth) ** 2).sum(axis=1).mean()))


def _macro_means(matrices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return macro precision, recall and F1, float64 [resamples, 3], of matrices [resamples, true, predicted]."""
    right = np.diagonal(matrices, axis1=1, axis2=2)
    of_class, as_class = matrices.sum(axis=2), matrices.sum(axis=1)
    # A class that is not there, or never predicted, counts as 0, as scikit-learn counts it.
    precision, recall = right / np.maximum(as_class, 1), right / np.maximum(of_class, 1)
    f1 = 2 * right / np.maximum(of_class + as_class, 1)
    return np.stack([of.mean(axis=1) for of in (precision, recall, f1)], axis=1)
