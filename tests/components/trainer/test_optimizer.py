"""Adam and its weight decay, on the variables of a real network."""

import numpy as np
import pytest

from components.trainer.network import NetworkConfig, build_network
from components.trainer.optimizer import AdamConfig

NETWORK = NetworkConfig(filters=(4, 4, 4), dense=(8, 8), batch_normalization=True)
RATE = 0.5


def ones_after_two_steps(decay: float) -> dict[str, set[float]]:
    """Return the values, by variable name, that two steps with zero gradients make of ones."""
    import tensorflow as tf

    variables = build_network(NETWORK, image_shape=(16, 16, 1), classes=4, seed=0).trainable_variables
    optimizer = AdamConfig(weight_decay=decay).build(RATE)
    for variable in variables:
        variable.assign(tf.ones(variable.shape))
    for _ in range(2):
        optimizer.apply([tf.zeros(variable.shape) for variable in variables], variables)
    values: dict[str, set[float]] = {}
    for variable in variables:
        values.setdefault(variable.name, set()).update(np.unique(variable.numpy()).tolist())
    return values


def test_only_kernels_decay_by_decay_times_rate() -> None:
    values = ones_after_two_steps(0.1)
    assert sorted(values.pop("kernel")) == pytest.approx([(1 - RATE * 0.1) ** 2])
    assert values == {"bias": {1.0}, "gamma": {1.0}, "beta": {1.0}}


def test_weights_do_not_decay_by_default() -> None:
    assert ones_after_two_steps(AdamConfig().weight_decay)["kernel"] == {1.0}


@pytest.mark.thorough
def test_zero_decay_trains_like_plain_adam() -> None:
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
    without_decay = trained(AdamConfig(beta_2=0.95).build(0.01))
    decayed = trained(AdamConfig(beta_2=0.95, weight_decay=0.1).build(0.01))
    assert all(np.array_equal(one, other) for one, other in zip(plain, without_decay, strict=True))
    assert not all(np.array_equal(one, other) for one, other in zip(plain, decayed, strict=True))
