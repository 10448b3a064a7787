"""Figures of a classifier's answers on labelled images."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from components.artifacts import ClassMetrics, Interval, Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EPSILON = 1e-7
"""Probabilities are kept this far from 0, as Keras's cross-entropy keeps them."""


@dataclass(frozen=True)
class Scores:
    """All that is counted from one set of answers."""

    metrics: Metrics
    per_class: tuple[ClassMetrics, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]


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
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return Scores(
        metrics=Metrics(
            count=len(labels),
            accuracy=correct / len(labels),
            accuracy_interval=wilson_interval(correct, len(labels)),
            loss=max(0.0, float(-np.log(np.clip(of_truth, EPSILON, 1.0)).mean())),
            macro_precision=float(precision.mean()),
            macro_recall=float(recall.mean()),
            macro_f1=float(f1.mean()),
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
        confusion_matrix=tuple(tuple(row) for row in confusion_matrix(labels, predicted, labels=every_label).tolist()),
    )


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Return the score interval of a proportion (E. B. Wilson, JASA 22, 1927).

    >>> interval = wilson_interval(9930, 10000)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.9912, 0.9945)
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return Interval(
        low=max(0.0, (centre - spread) / scale),
        high=min(1.0, (centre + spread) / scale),
        confidence=confidence,
    )
