"""How far confidences can be believed: the reliability table and the expected calibration error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import Interval, ReliabilityBin
from components.evaluation.intervals import bootstrap_intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 15
"""Of equal width, as in C. Guo et al., "On Calibration of Modern Neural Networks", 2017."""

GAP_STEPS = 1000
"""A gap between confidence and truth is told to a thousandth; the error of a bin's mean is far below that."""


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
    """Return the bootstrap interval of the calibration error, over images drawn with their confidences.

    An estimate from finitely many images is biased upwards, and so is its bootstrap: a model that is calibrated
    perfectly has an interval above 0.
    """
    bins, confidences, right = _binned(labels, probabilities)
    gaps = confidences - right
    # Images of a bin with the same gap to within a thousandth count as one kind: what is drawn is then small.
    steps = np.rint(gaps * GAP_STEPS).astype(np.int64)
    kinds, counts = np.unique(np.stack([bins, steps]), axis=1, return_counts=True)
    in_bin = kinds[0][:, None] == np.arange(BINS)
    weighted = in_bin * (kinds[1] / GAP_STEPS)[:, None]

    def errors(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.abs(drawn @ weighted).sum(axis=1, keepdims=True) / counts.sum()
        return found

    return bootstrap_intervals(counts, errors)[0]


def _binned(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return each image's bin, confidence and whether its prediction is right."""
    confidences = probabilities.max(axis=1).astype(np.float64)
    bins = np.clip(np.ceil(confidences * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return bins, confidences, probabilities.argmax(axis=1) == labels
