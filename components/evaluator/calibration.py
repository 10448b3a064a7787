"""Calibration: how well confidences agree with accuracy, and the temperature that improves them.

The calibration error and temperature scaling follow C. Guo et al., "On Calibration of Modern Neural Networks", 2017.
"""

from dataclasses import replace
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Calibration, Interval, ReliabilityBin
from components.evaluator.intervals import bootstrap_intervals
from components.evaluator.predictions import Predictions
from components.inference.probabilities import apply_temperature, cross_entropy, to_logits

BINS = 15
"""Bins of equal width in the reliability table."""
GAP_STEPS = 1000
"""In the bootstrap, images of a bin are of one kind if confidence minus correctness agrees to a thousandth."""
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.1, 10.0


def reliability(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> tuple[ReliabilityBin, ...]:
    """Return the mean confidence and the accuracy of each bin of confidence.

    `labels` are int64 [count], and `probabilities` float32 [count, classes], here and below.
    """
    bins, confidences, right = bin_confidences(labels, probabilities)
    counts, confidence_sums, right_sums = (
        np.bincount(bins, weights, minlength=BINS) for weights in (None, confidences, right)
    )
    return tuple(
        ReliabilityBin(
            low=number / BINS,
            high=(number + 1) / BINS,
            count=int(count),
            confidence=min(1.0, float(confidence_sums[number] / count)) if count else None,
            accuracy=float(right_sums[number] / count) if count else None,
        )
        for number, count in enumerate(counts)
    )


def calibration_error(table: tuple[ReliabilityBin, ...]) -> float:
    """Return the expected calibration error: the mean distance of confidence and accuracy, weighted by images."""
    gaps = (
        row.count * abs(row.confidence - row.accuracy)
        for row in table
        if row.confidence is not None and row.accuracy is not None
    )
    return sum(gaps) / sum(row.count for row in table)


def calibration_error_interval(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> Interval:
    """Return the bootstrap interval of the calibration error; each resampled image keeps its confidence."""
    bins, confidences, right = bin_confidences(labels, probabilities)
    gaps = confidences - right
    steps = np.rint(gaps * GAP_STEPS).astype(np.int64)
    kinds, kind, counts = np.unique(np.stack([bins, steps]), axis=1, return_inverse=True, return_counts=True)
    mean_gaps = np.bincount(kind.reshape(-1), gaps) / counts
    weights = (kinds[0][:, np.newaxis] == np.arange(BINS)) * mean_gaps[:, np.newaxis]

    def errors(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(np.abs(drawn[:, 0] @ weights).sum(axis=1, keepdims=True) / counts.sum())

    return bootstrap_intervals(counts[np.newaxis], errors)[0]


def fit_temperature(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Return the temperature with the lowest cross-entropy, fitted on the validation split.

    It is about `MIN_TEMPERATURE` if all predictions are right, and 1 if no temperature improves the cross-entropy.
    """
    from scipy.optimize import minimize_scalar

    logits = to_logits(probabilities)
    of_truth = logits[np.arange(len(labels)), labels]

    def loss(temperature: float) -> float:
        # The largest logit is 0: exponentials are at most 1, and their sum is at least 1.
        return float((np.log(np.exp(logits / temperature).sum(axis=1)) - of_truth / temperature).mean())

    # The loss is convex in 1 / temperature, and therefore has one minimum in its logarithm too.
    found = minimize_scalar(
        lambda logarithm: loss(exp(logarithm)),
        bounds=(log(MIN_TEMPERATURE), log(MAX_TEMPERATURE)),
        method="bounded",
        options={"xatol": 1e-4},  # relative: far below the uncertainty on a validation split
    )
    return exp(found.x) if found.fun < loss(1.0) else 1.0


def calibrate_predictions(
    predictions: Predictions, validation: Predictions, *, apply: bool
) -> tuple[Predictions, Calibration]:
    """Return the predictions to score, and their calibration; the temperature is fitted on the validation split.

    With `apply`, the predictions have the scaled probabilities.
    """
    temperature = fit_temperature(validation.labels, validation.probabilities)
    calibration = calibrate(predictions, temperature=temperature, applied=apply)
    if apply:
        predictions = replace(predictions, probabilities=apply_temperature(predictions.probabilities, temperature))
    return predictions, calibration


def calibrate(predictions: Predictions, *, temperature: float, applied: bool) -> Calibration:
    """Return the calibration of a model's predictions without and with a temperature.

    `applied` states whether the evaluation uses the scaled probabilities; the reliability table is of those it uses.
    """
    labels, probabilities = predictions.labels, predictions.probabilities
    scaled = apply_temperature(probabilities, temperature)
    unscaled_table, scaled_table = reliability(labels, probabilities), reliability(labels, scaled)
    return Calibration(
        reliability=scaled_table if applied else unscaled_table,
        temperature=temperature,
        applied=applied,
        unscaled_loss=cross_entropy(labels, probabilities),
        scaled_loss=cross_entropy(labels, scaled),
        unscaled_error=calibration_error(unscaled_table),
        scaled_error=calibration_error(scaled_table),
    )


def bin_confidences(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return for each image the bin of its confidence, the confidence, and whether the prediction is correct."""
    confidences = probabilities.max(axis=1).astype(np.float64)
    bins = np.clip(np.ceil(confidences * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return bins, confidences, probabilities.argmax(axis=1) == labels
