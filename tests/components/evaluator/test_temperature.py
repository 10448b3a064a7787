"""Temperature scaling finds the temperature of scaled logits, and changes no prediction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from components.evaluator.calibration import MAX_TEMPERATURE, MIN_TEMPERATURE, calibrate, fit_temperature, reliability
from components.evaluator.predictions import Predictions
from components.inference.probabilities import apply_temperature, cross_entropy


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities.astype(np.float32)


def samples(temperature: float, *, count: int = 20_000) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return labels drawn from probabilities, and these probabilities with logits multiplied by a temperature."""
    random = np.random.default_rng(0)
    logits = 3 * random.standard_normal((count, 10))
    # The largest of logits with Gumbel noise is a draw from their softmax.
    labels = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    return labels, softmax(logits * temperature)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.0, 5.0])
def test_finds_the_temperature_of_scaled_logits(temperature: float) -> None:
    labels, probabilities = samples(temperature)
    assert fit_temperature(labels, probabilities) == pytest.approx(temperature, rel=0.03)


def test_no_other_temperature_fits_better() -> None:
    labels, probabilities = samples(2.5, count=2000)
    found = fit_temperature(labels, probabilities)
    best = cross_entropy(labels, apply_temperature(probabilities, found))
    for factor in (0.5, 0.98, 1.02, 2):
        assert best < cross_entropy(labels, apply_temperature(probabilities, found * factor))


def test_perfect_predictions_give_a_temperature_at_the_bound() -> None:
    labels = np.arange(30) % 3
    right = np.full((30, 3), 0.1, np.float32) + 0.7 * np.eye(3, dtype=np.float32)[labels]
    assert fit_temperature(labels, right) == pytest.approx(MIN_TEMPERATURE, rel=0.01)
    assert fit_temperature((labels + 1) % 3, right) == pytest.approx(MAX_TEMPERATURE, rel=0.01)


def test_the_temperature_is_one_if_none_improves_the_loss() -> None:
    labels = np.arange(30) % 3
    assert fit_temperature(labels, np.full((30, 3), 1 / 3, np.float32)) == 1
    assert fit_temperature(labels, np.eye(3, dtype=np.float32)[labels]) == 1, "the loss is already 0"


def test_handles_probabilities_of_zero() -> None:
    labels = np.array([0, 1, 2, 0])
    certain = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]], np.float32)
    found = fit_temperature(labels, certain)
    assert 1 < found <= MAX_TEMPERATURE, "one prediction was too confident"
    scaled = apply_temperature(certain, found)
    assert np.isfinite(scaled).all()
    assert scaled.sum(axis=1) == pytest.approx(1)


@settings(deadline=None, max_examples=50)
@given(
    logits=arrays(np.float32, (5, 4), elements=st.floats(-200, 200, width=32)),
    temperature=st.floats(MIN_TEMPERATURE, MAX_TEMPERATURE),
)
def test_scaling_keeps_the_predicted_classes(logits: NDArray[np.float32], temperature: float) -> None:
    probabilities = softmax(logits.astype(np.float64))
    scaled = apply_temperature(probabilities, temperature)
    assert scaled.dtype == np.float32
    assert np.array_equal(scaled.argmax(axis=1), probabilities.argmax(axis=1))
    assert scaled.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_scaling_keeps_the_class_that_leads_by_a_rounding() -> None:
    half = np.float32(0.5)
    probabilities = np.array([[np.nextafter(half, np.float32(0)), half]], np.float32)
    assert apply_temperature(probabilities, 8.0).argmax() == 1


def test_a_temperature_of_one_changes_nothing() -> None:
    _, probabilities = samples(1.0, count=50)
    np.testing.assert_allclose(apply_temperature(probabilities, 1.0), probabilities, rtol=1e-6)


def test_states_calibration_without_and_with_the_temperature() -> None:
    labels, probabilities = samples(3.0)
    scaled = apply_temperature(probabilities, 3.0)
    predictions = Predictions(labels, probabilities, np.zeros(len(labels), "V16"))
    stated = calibrate(predictions, temperature=3.0, applied=False)
    assert stated.unscaled_loss == cross_entropy(labels, probabilities)
    assert stated.scaled_loss == cross_entropy(labels, scaled) < stated.unscaled_loss
    assert stated.unscaled_error > 0.1
    assert stated.scaled_error < 0.02
    assert stated.reliability == reliability(labels, probabilities)
    applied = calibrate(predictions, temperature=3.0, applied=True)
    assert applied.reliability == reliability(labels, scaled)
    assert applied.model_copy(update={"applied": False, "reliability": stated.reliability}) == stated
