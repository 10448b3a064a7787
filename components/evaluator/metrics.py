"""Metrics of a classifier's probabilities on labelled images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.artifacts import ClassMetrics, Interval, Metrics
from components.artifacts.evaluation import INTERVAL_SUFFIX
from components.base.component import Context
from components.evaluator.calibration import calibration_error, calibration_error_interval, reliability
from components.evaluator.functions import MetricFunction
from components.evaluator.intervals import bootstrap_intervals, resampled_interval, wilson_interval
from components.inference.probabilities import cross_entropy

LONG_SECONDS = 10.0
"""An interval that takes longer is announced by a message."""


@dataclass(frozen=True)
class Scores:
    """The metrics of all images and of each class."""

    metrics: Metrics
    per_class: tuple[ClassMetrics, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    """Rows are true labels, columns predicted ones."""


def score(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    class_names: Sequence[str],
    further: Mapping[str, float | Interval] | None = None,
) -> Scores:
    """Return the metrics of probabilities, float32 [count, classes], whose rows sum to 1, for int64 labels [count].

    `further` are the custom metrics. A class that is never predicted has precision 0, and one without images
    recall 0.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    classes, predicted = np.arange(len(class_names)), probabilities.argmax(axis=1)
    by_class = precision_recall_fscore_support(labels, predicted, labels=classes, zero_division=0.0)
    macro_precision, macro_recall, macro_f1 = (float(values.mean()) for values in by_class[:3])
    correct = int((predicted == labels).sum())
    matrix = confusion_matrix(labels, predicted, labels=classes)
    precision_interval, recall_interval, f1_interval = bootstrap_intervals(matrix, macro_means)
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
            **(further or {}),
        ),
        per_class=tuple(
            ClassMetrics(label=label, name=name, precision=precision, recall=recall, f1=f1, support=support)
            for label, (name, precision, recall, f1, support) in enumerate(
                zip(class_names, *(values.tolist() for values in by_class), strict=True)
            )
        ),
        confusion_matrix=tuple(tuple(row) for row in matrix.tolist()),
    )


def apply_functions(
    functions: Sequence[MetricFunction], labels: NDArray[np.int64], probabilities: NDArray[np.float32], context: Context
) -> dict[str, float | Interval]:
    """Return the custom metrics and their intervals, as fields of `Metrics`."""
    metrics: dict[str, float | Interval] = {}
    for function in functions:
        metrics[function.key] = function_value(function, labels, probabilities)
        if not function.resamples:
            continue
        if interval := _function_interval(function, labels, probabilities, context):
            metrics[f"{function.key}{INTERVAL_SUFFIX}"] = interval
        else:
            context.progress.warning(f"{function.key} has no interval: it is not finite for every resample")
    return metrics


def function_value(function: MetricFunction, labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Return a custom metric; raise ConfigError if it is not finite."""
    value = float(_apply(function, labels, probabilities).mean())
    if not np.isfinite(value):
        raise function.error(f"returned {value}, which is not finite")
    return value


def _function_interval(
    function: MetricFunction, labels: NDArray[np.int64], probabilities: NDArray[np.float32], context: Context
) -> Interval | None:
    started = monotonic()
    numbers = _apply(function, labels, probabilities)
    seconds = (monotonic() - started) * function.resamples
    if not numbers.ndim and seconds > LONG_SECONDS:
        context.progress.message(f"the interval of {function.key} takes about {seconds:.0f} s; set fewer `resamples`")

    def statistic(rows: NDArray[np.int64]) -> float:
        return float((numbers[rows] if numbers.ndim else _apply(function, labels[rows], probabilities[rows])).mean())

    return resampled_interval(labels, statistic, resamples=function.resamples, check=context.termination.check)


def _apply(
    function: MetricFunction, labels: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the result of a function, float64 [] or [count]; raise ConfigError for another type or shape."""
    numbers: NDArray[Any] = function(labels=labels, probabilities=probabilities)
    if numbers.dtype.kind not in "biuf" or numbers.shape not in ((), labels.shape):
        raise function.wrong_result(numbers)
    return numbers.astype(np.float64)


def brier_score(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Return the mean squared distance between probabilities and the truth (G. W. Brier, 1950), from 0 to 2."""
    return min(2.0, float(brier_scores(labels, probabilities).mean()))


def brier_scores(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the squared distance between the probabilities of each image and the truth: float64 [count]."""
    # scikit-learn's function warns that float32 rows do not sum to 1, and differs in the last bits.
    return np.asarray(((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1))


def macro_means(matrices: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return macro precision, recall and F1, float64 [resamples, 3], of matrices [resamples, true, predicted]."""
    right = np.diagonal(matrices, axis1=1, axis2=2)
    of_class, as_class = matrices.sum(axis=2), matrices.sum(axis=1)
    # As in scikit-learn, a class without images, or never predicted, counts as 0.
    precision, recall = right / np.maximum(as_class, 1), right / np.maximum(of_class, 1)
    f1 = 2 * right / np.maximum(of_class + as_class, 1)
    return np.stack([values.mean(axis=1) for values in (precision, recall, f1)], axis=1)
