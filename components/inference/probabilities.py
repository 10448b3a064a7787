"""Class probabilities: their cross-entropy, and how a temperature changes them."""

import numpy as np
from numpy.typing import NDArray

EPSILON = 1e-7
"""Lower bound of a probability in the cross-entropy, as in Keras: no single image costs more than 16.2 nats."""
SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)
"""Replaces a probability of 0, whose logarithm would be infinite."""


def cross_entropy(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Return the mean negative log-likelihood, in nats, of labels [count] under probabilities [count, classes]."""
    return max(0.0, float(cross_entropies(labels, probabilities).mean()))


def cross_entropies(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the negative log-likelihood of each label, in nats: float64 [count]."""
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return np.asarray(-np.log(np.clip(of_truth, EPSILON, 1.0)))


def apply_temperature(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return the probabilities after their logits are divided by a temperature; the predicted classes do not change.

    Probabilities are float32 [count, classes]. A temperature above 1 lowers the confidence.

    >>> apply_temperature(np.array([[0.8, 0.2]], dtype=np.float32), 2.0).round(3)
    array([[0.667, 0.333]], dtype=float32)
    """
    exponentials = np.exp(to_logits(probabilities) / temperature)
    scaled: NDArray[np.float32] = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
    # Rounding can make two close classes equal: raise the one that was predicted.
    predicted = probabilities.argmax(axis=1)
    (tied,) = np.nonzero(scaled.argmax(axis=1) != predicted)
    scaled[tied, predicted[tied]] = np.nextafter(scaled[tied].max(axis=1), np.float32(1))
    return scaled


def to_logits(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the logarithms of probabilities, shifted so that the largest of each row is 0."""
    logarithms = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST_PROBABILITY))
    logits: NDArray[np.float64] = logarithms - logarithms.max(axis=1, keepdims=True)
    return logits
