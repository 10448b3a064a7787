"""Metrics of a classifier's probabilities on labelled images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from components.artifacts import ClassMetrics, Metrics
from components.evaluator.calibration import calibration_error, calibration_error_interval, reliability
from components.evaluator.intervals import bootstrap_intervals, wilson_interval
from components.inference.probabilities import cross_entropy


@dataclass(frozen=True)
class Scores:
    """The metrics of all images and of each class."""

    metrics: Metrics
    per_class: tuple[ClassMetrics, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    """Rows are true labels, columns predicted ones."""


def score(labels: NDArray[np.int64], probabilities: NDArray[np.float32], class_names: Sequence[str]) -> Scores:
    """Return the metrics of probabilities, float32 [count, classes], whose rows sum to 1, for int64 labels [count].

    A class that is never predicted has precision 0, and a class without images recall 0.
    """
    classes, predicted = np.arange(len(class_names)), probabilities.argmax(axis=1)
    by_class = precision_recall_fscore_support(labels, predicted, labels=classes, zero_division=0.0)
    macro_precision, macro_recall, macro_f1 = (float(values.mean()) for values in by_class[:3])
    correct = int((predicted == labels).sum())
    matrix = confusion_matrix(labels, predicted, labels=classes)
    precision_interval, recall_interval, f1_interval = bootstrap_intervals(matrix, _macro_means)
    return Scores(
        metrics=Metrics(
            count=len(labels),
            accuracy=correct / len(labels),
            accuracy_interval=wilson_interval(correct, len(labels)),
            loss=cross_entropy(labels, probabilities),
            brier_score=brier_score(labels, probabilities),
            calibration_error=calibration_error(reliability(labels, probabilities)),
            calibration_error_interval=calibration_error_interval(labels, probabilities),
            macro_precision=macro_precision,
            macro_precision_interval=precision_interval,
            macro_recall=macro_recall,
            macro_recall_interval=recall_interval,
            macro_f1=macro_f1,
            macro_f1_interval=f1_interval,
        ),
        per_class=tuple(
            ClassMetrics(label=label, name=name, precision=precision, recall=recall, f1=f1, support=support)
            for label, (name, precision, recall, f1, support) in enumerate(
                zip(class_names, *(values.tolist() for values in by_class), strict=True)
            )
        ),
        confusion_matrix=tuple(tuple(row) for row in matrix.tolist()),
    )


def brier_score(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Return the mean squared distance between probabilities and the truth (G. W. Brier, 1950), from 0 to 2."""
    # scikit-learn's function warns that float32 rows do not sum to 1, and differs in the last bits.
    return min(2.0, float(((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1).mean()))


def _macro_means(matrices: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return macro precision, recall and F1, float64 [resamples, 3], of matrices [resamples, true, predicted]."""
    right = np.diagonal(matrices, axis1=1, axis2=2)
    of_class, as_class = matrices.sum(axis=2), matrices.sum(axis=1)
    # As in scikit-learn, a class without images, or never predicted, counts as 0.
    precision, recall = right / np.maximum(as_class, 1), right / np.maximum(of_class, 1)
    f1 = 2 * right / np.maximum(of_class + as_class, 1)
    return np.stack([values.mean(axis=1) for values in (precision, recall, f1)], axis=1)
