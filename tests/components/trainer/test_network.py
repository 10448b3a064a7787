"""The built-in network: its layers, for each way to configure it."""

from typing import Any

import numpy as np
import pytest

from components.base.errors import ConfigError
from components.trainer.network import NetworkConfig


def build(size: int = 28, **settings: Any) -> Any:
    return NetworkConfig.model_validate(settings).build(image_shape=(size, size, 1), classes=10, seed=0)


def test_border_is_cropped_inside_the_network() -> None:
    network = build(crop=2, filters=(4, 4, 4), dense=(8,), dropout=0.0)
    assert network.get_layer("convolution_1").input.shape == (None, 24, 24, 1)
    images = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
    before = network.predict_on_batch(images)
    images[:, :2] = images[:, -2:] = images[:, :, :2] = images[:, :, -2:] = 0
    np.testing.assert_array_equal(network.predict_on_batch(images), before)


def test_first_convolution_with_whitening_is_not_trained() -> None:
    network = build(whitening=True, batch_normalization=True)
    first = network.get_layer("convolution_1")
    assert not first.trainable
    assert first.bias is None
    assert "normalization_1" not in [layer.name for layer in network.layers]
    assert network.get_layer("convolution_2").trainable
    assert network.get_layer("normalization_2").trainable


def test_network_without_dense_layers_ends_with_its_output() -> None:
    names = [layer.name for layer in build(dense=()).layers]
    assert names[-2:] == ["flatten", "probabilities"]


@pytest.mark.parametrize("settings", [{"crop": 2}, {"crop": 2, "pooling": 3, "padding": ["valid", "same", "same"]}])
def test_multiplications_are_those_of_the_layers(settings: dict[str, Any]) -> None:
    network = build(**settings)
    counted = sum(
        int(np.prod(layer.kernel.shape)) * int(np.prod(layer.output.shape[1:-1]))
        for layer in network.layers
        if hasattr(layer, "kernel")
    )
    config = NetworkConfig.model_validate(settings)
    assert config.multiplications(image_shape=(28, 28, 1), classes=10) == counted


def test_crop_that_leaves_too_little_is_an_error() -> None:
    build(size=14, crop=3, filters=(2, 2, 2))
    with pytest.raises(ConfigError, match=r"at least 14x14 pixels[\s\S]*reduce trainer.network.crop") as caught:
        build(size=13, crop=3)
    assert "13x13" in str(caught.value)
