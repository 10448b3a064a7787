"""The built-in network: its layers, for each way to configure it."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

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


DEEP: dict[str, Any] = {"filters": [4, 5, 6, 7], "padding": "valid", "pooled": [2, 4], "dense": ()}


def test_network_pools_after_the_configured_convolutions() -> None:
    network = build(**DEEP, batch_normalization=True)
    names = [layer.name for layer in network.layers]
    assert names[:4] == ["convolution_1", "normalization_1", "relu_1", "convolution_2"]
    assert [name for name in names if name.startswith("pooling")] == ["pooling_2", "pooling_4"]
    assert network.get_layer("pooling_4").output.shape == (None, 4, 4, 7)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"kernels": [3, 3]}, "kernels has 2 values, but filters has 3"),
        ({"padding": ["same"] * 4}, "padding has 4 values, but filters has 3"),
        ({"pooled": [1, 4]}, "pooled names convolution 4, but there are 3"),
        ({"filters": []}, "at least 1 item"),
        ({"filters": [3, 4, 4], "whitening": True}, "an even number of filters"),
    ],
)
def test_sizes_of_other_numbers_of_convolutions_are_an_error(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        NetworkConfig.model_validate(settings)


@pytest.mark.parametrize(
    "settings", [{"crop": 2}, {"crop": 2, "pooling": 3, "padding": ["valid", "same", "same"]}, DEEP]
)
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
    with pytest.raises(ConfigError, match=r"13x13 pixels[\s\S]*at least 14x14 pixels[\s\S]*trainer.network.crop"):
        build(size=13, crop=3)


def test_smallest_images_of_a_network_with_some_poolings() -> None:
    build(size=16, **DEEP)
    with pytest.raises(ConfigError, match="at least 16x16 pixels"):
        build(size=15, **DEEP)
