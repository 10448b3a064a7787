"""A folded network has fewer layers and predicts the same."""

from typing import Any

import numpy as np
import pytest

from components.trainer.export.folding import fold_network

SHAPE = (12, 12, 1)


def predictions(network: Any) -> Any:
    images = np.random.default_rng(0).random((20, *SHAPE), dtype=np.float32)
    return network(images, training=False).numpy()


def network_of(*layers: Any) -> Any:
    """Return a network of the layers and an output layer, randomized."""
    import keras

    network = keras.Sequential([keras.Input(SHAPE), *layers, keras.layers.Dense(5, "softmax", name="last")])
    randomize(network)
    return network


def randomize(network: Any) -> None:
    """Set random moments, offsets and positive scales of the normalizations."""
    import keras

    random = np.random.default_rng(1)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 2.0, weights.shape) for weights in layer.get_weights()])


def kinds(network: Any) -> list[str]:
    return [type(layer).__name__ for layer in network.layers]


def test_built_in_network_folds_normalization_and_relu() -> None:
    from components.trainer.network import NetworkConfig, build_network

    config = NetworkConfig(filters=(4, 4, 4), dense=(8, 8), batch_normalization=True, whitening=True, dropout=0.0)
    network = build_network(config, image_shape=SHAPE, classes=3, seed=0)
    randomize(network)
    before = predictions(network)
    folded = fold_network(network)
    assert kinds(folded) == [*["Conv2D", "MaxPooling2D"] * 3, "Lambda", *["Dense"] * 3]
    assert [layer.activation.__name__ for layer in folded.layers[:6:2]] == ["relu"] * 3
    np.testing.assert_allclose(predictions(folded), before, atol=1e-6)
    assert np.ptp(before, axis=0).max() > 0.01, "the predictions depend on the images"
    np.testing.assert_array_equal(predictions(network), before, "the network itself does not change")


def test_normalization_without_scale_folds_into_a_bias() -> None:
    from keras import layers

    normalization = layers.BatchNormalization(scale=False, center=False)
    network = network_of(layers.Conv2D(4, 3), normalization, layers.Activation("relu"), layers.Flatten())
    folded = fold_network(network)
    assert kinds(folded) == ["Conv2D", "Lambda", "Dense"]
    np.testing.assert_allclose(predictions(folded), predictions(network), atol=1e-6)


def test_two_normalizations_fold_into_one_layer() -> None:
    from keras import layers

    first, second = layers.BatchNormalization(), layers.BatchNormalization()
    network = network_of(layers.Conv2D(4, 3), first, layers.MaxPooling2D(), second, layers.Flatten())
    folded = fold_network(network)
    assert kinds(folded) == ["Conv2D", "MaxPooling2D", "Lambda", "Dense"]
    np.testing.assert_allclose(predictions(folded), predictions(network), atol=1e-6)


def test_normalization_of_the_width_of_channels_first_stays() -> None:
    from keras import layers

    convolution = layers.Conv2D(10, 3, padding="same", data_format="channels_first")
    network = network_of(convolution, layers.BatchNormalization(), layers.Flatten())
    assert "BatchNormalization" in kinds(fold_network(network))


def test_decreasing_normalization_after_pooling_stays() -> None:
    from keras import layers

    network = network_of(layers.Conv2D(4, 3), layers.MaxPooling2D(), layers.BatchNormalization(), layers.Flatten())
    gamma = network.layers[2].gamma
    gamma.assign(np.array([1, -1, 1, 1], np.float32))
    folded = fold_network(network)
    assert kinds(folded) == ["Conv2D", "MaxPooling2D", "BatchNormalization", "Lambda", "Dense"]
    np.testing.assert_allclose(predictions(folded), predictions(network), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("ReLU", {"max_value": 6.0}), ("ReLU", {"negative_slope": 0.1}), ("Activation", {"activation": "tanh"})],
)
def test_other_activations_stay(kind: str, options: dict[str, Any]) -> None:
    from keras import layers

    network = network_of(layers.Conv2D(4, 3), getattr(layers, kind)(**options), layers.GlobalAveragePooling2D())
    folded = fold_network(network)
    assert kinds(folded) == ["Conv2D", kind, "GlobalAveragePooling2D", "Dense"]
    np.testing.assert_allclose(predictions(folded), predictions(network), atol=1e-6)


def test_normalization_of_nonlinear_or_other_axes_stays() -> None:
    from keras import layers

    for first, axis in ((layers.Conv2D(4, 3, activation="relu"), -1), (layers.Conv2D(4, 3), 1)):
        network = network_of(first, layers.BatchNormalization(axis=axis), layers.Flatten())
        folded = fold_network(network)
        assert kinds(folded) == ["Conv2D", "BatchNormalization", "Lambda", "Dense"]
        np.testing.assert_allclose(predictions(folded), predictions(network), atol=1e-6)


def test_functional_network_stays() -> None:
    import keras

    inputs = keras.Input(SHAPE)
    network = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
    assert fold_network(network) is network
