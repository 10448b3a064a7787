"""How far confidences can be believed: the reliability table and the expected calibration error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import Interval, ReliabilityBin
from components.evaluator.intervals import bootstrap_intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 15
"""Of equal width, as in C. Guo et al., "On Calibration of Modern Neural Networks", 2017."""

GAP_STEPS = 1000
"""Images of a bin count as of one kind if the gaps between confidence and truth are the same to a thousandth."""


def reliability(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> tuple[ReliabilityBin, ...]:
    """Return the reliability table: for each bin of confidence how sure the predictions were, and how often right.

    Args:
        labels: int64 [count].
        probabilities: float32 [count, classes].
    """
    bins, confidences, right = _binned(labels, probabilities)
    counts = np.bincount(bins, minlength=BINS)
    sure = np.bincount(bins, confidences, minlength=BINS)
    correct = np.bincount(bins, right, minlength=BINS)
    return tuple(
        ReliabilityBin(
            low=number / BINS,
            high=(number + 1) / BINS,
            count=int(count),
            confidence=min(1.0, float(sure[number] / count)) if count else None,
            accuracy=float(correct[number] / count) if count else None,
        )
        for number, count in enumerate(counts)
    )


def calibration_error(table: tuple[ReliabilityBin, ...]) -> float:
    """Return the expected calibration error: the mean distance of confidence and accuracy, weighted by images."""
    count = sum(found.count for found in table)
    return (
        sum(
            found.count * abs(found.confidence - found.accuracy)
            for found in table
            if found.confidence is not None and found.accuracy is not None
        )
        / count
    )


def calibration_error_interval(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> Interval:
    """Return the bootstrap interval of the calibration error, over images drawn with their confidences."""
    bins, confidences, right = _binned(labels, probabilities)
    gaps = confidences - right
    steps = np.rint(gaps * GAP_STEPS).astype(np.int64)
    kinds, kind, counts = np.unique(np.stack([bins, steps]), axis=1, return_inverse=True, return_counts=True)
    mean_gaps = np.bincount(kind.reshape(-1), gaps) / counts
    weighted = (kinds[0][:, np.newaxis] == np.arange(BINS)) * mean_gaps[:, np.newaxis]

    def errors(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.abs(drawn[:, 0] @ weighted).sum(axis=1, keepdims=True) / counts.sum()
        return found

    return bootstrap_intervals(counts[np.newaxis], errors)[0]


def _binned(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return each image's bin, confidence and whether its prediction is right."""
    confidences = probabilities.max(axis=1).astype(np.float64)
    bins = np.clip(np.ceil(confidences * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return bins, confidences, probabilities.argmax(axis=1) == labels
