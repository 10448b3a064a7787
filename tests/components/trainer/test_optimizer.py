"""Adam and its decay of weights, on the variables of a real network."""

from __future__ import annotations

import numpy as np
import pytest

from components.trainer.network import NetworkConfig, build_network
from components.trainer.optimizer import AdamConfig

NETWORK = NetworkConfig(filters=(4, 4, 4), dense=(8, 8), batch_normalization=True)
RATE = 0.5


def kept_without_a_gradient(decay: float) -> dict[str, set[float]]:
    """Return, by the name of the variables, what two steps whose gradients are zero leave of ones."""
    import tensorflow as tf

    variables = build_network(NETWORK, image_shape=(16, 16, 1), classes=4, seed=0).trainable_variables
    optimizer = AdamConfig(weight_decay=decay).build(RATE)
    for variable in variables:
        variable.assign(tf.ones(variable.shape))
    for _ in range(2):
        optimizer.apply([tf.zeros(variable.shape) for variable in variables], variables)
    kept: dict[str, set[float]] = {}
    for variable in variables:
        kept.setdefault(variable.name, set()).update(np.unique(variable.numpy()).tolist())
    return kept


def test_kernels_decay_by_the_share_times_the_rate_and_nothing_else_does() -> None:
    kept = kept_without_a_gradient(0.1)
    assert sorted(kept.pop("kernel")) == pytest.approx([(1 - RATE * 0.1) ** 2])
    assert kept == {"bias": {1.0}, "gamma": {1.0}, "beta": {1.0}}


def test_by_default_nothing_decays() -> None:
    assert kept_without_a_gradient(AdamConfig().weight_decay)["kernel"] == {1.0}


def test_a_decay_of_zero_trains_as_plain_adam_does() -> None:
    import keras
    import tensorflow as tf

    random = np.random.default_rng(0)
    images, labels = random.random((32, 16, 16, 1), np.float32), np.arange(32) % 4

    def trained(optimizer: object) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        network = build_network(NETWORK, image_shape=(16, 16, 1), classes=4, seed=0)
        network.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
        network.fit(tf.constant(images), tf.constant(labels), epochs=2, batch_size=8, shuffle=False, verbose=0)
        weights: list[np.ndarray] = network.get_weights()
        return weights

    plain = trained(keras.optimizers.Adam(0.01, beta_2=0.95))
    ours = trained(AdamConfig(beta_2=0.95).build(0.01))
    decayed = trained(AdamConfig(beta_2=0.95, weight_decay=0.1).build(0.01))
    assert all(np.array_equal(one, other) for one, other in zip(plain, ours, strict=True))
    assert not all(np.array_equal(one, other) for one, other in zip(plain, decayed, strict=True))
