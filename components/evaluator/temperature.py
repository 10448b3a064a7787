"""Temperature scaling: one number that makes a model as sure of itself as it may be.

C. Guo et al., "On Calibration of Modern Neural Networks", 2017, section 4.2.
"""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

from components.artifacts import Calibration
from components.evaluator.calibration import calibration_error, reliability
from components.inference.probabilities import apply_temperature, cross_entropy, to_logits

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOWEST, HIGHEST = 0.1, 10.0
"""Between which a temperature is looked for."""
TOLERANCE = 1e-4
"""How close to the best temperature it gets, as a share: far closer than a validation split tells."""


def fit_temperature(labels: NDArray[np.int64], probabilities: NDArray[np.float32]) -> float:
    """Return the temperature that makes the cross-entropy of labelled images least; to be fitted on validation.

    Where every image is answered rightly, the colder the better, without end: the answer is then about `LOWEST`. Where
    no temperature is better than none, it is 1.

    Args:
        labels: int64 [count].
        probabilities: float32 [count, classes], each row adding up to 1.
    """
    logits = to_logits(probabilities)
    of_truth = logits[np.arange(len(labels)), labels]

    def loss(temperature: float) -> float:
        # The largest logit is 0, so that exponentials are at most 1 and their sum at least that.
        return float((np.log(np.exp(logits / temperature).sum(axis=1)) - of_truth / temperature).mean())

    # The loss is convex in 1 / temperature, and so has one lowest place in its logarithm too.
    found = minimize_scalar(
        lambda logarithm: loss(exp(logarithm)),
        bounds=(log(LOWEST), log(HIGHEST)),
        method="bounded",
        options={"xatol": TOLERANCE},
    )
    return exp(found.x) if found.fun < loss(1.0) else 1.0


def calibrate(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], *, temperature: float, applied: bool
) -> Calibration:
    """Return how far the confidences on the test split can be believed, without the temperature and with it.

    Args:
        labels: int64 [count].
        probabilities: float32 [count, classes], as the model gave them.
        temperature: fitted on other images than these.
        applied: whether the evaluation's own probabilities are after the temperature; the reliability table
            is of these.
    """
    scaled = apply_temperature(probabilities, temperature)
    without, after = reliability(labels, probabilities), reliability(labels, scaled)
    return Calibration(
        reliability=after if applied else without,
        temperature=temperature,
        applied=applied,
        unscaled_loss=cross_entropy(labels, probabilities),
        scaled_loss=cross_entropy(labels, scaled),
        unscaled_error=calibration_error(without),
        scaled_error=calibration_error(after),
    )
