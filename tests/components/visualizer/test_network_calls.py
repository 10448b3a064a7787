"""The calls of a network: every layer in order, also of nested networks, without a change to any."""

from typing import Any

import numpy as np

from components.trainer.network_function import NetworkFunction
from components.visualizer.figure_data import FeatureMaps, TestImage
from components.visualizer.network_calls import observe_calls
from tests.support.networks import nested

SHAPE = (8, 8, 1)


def test_observed_predictions_are_those_of_the_network() -> None:
    import tensorflow as tf

    network = NetworkFunction.model_validate(nested).build(image_shape=SHAPE, classes=3, seed=0)
    images = tf.random.stateless_uniform((2, *SHAPE), seed=(0, 0))
    calls: list[tuple[str, list[int], int]] = []
    tensors: list[Any] = []

    def observe(layer: Any, inputs: list[Any], output: Any) -> None:
        tensors.extend((*inputs, output))  # keeps them alive, so that their ids differ
        calls.append((layer.name, [id(each) for each in inputs], id(output)))

    predicted = observe_calls(network, images, observe)
    np.testing.assert_array_equal(predicted, network(images))
    produced = {id(images)}
    for _, inputs, output in calls:
        assert produced.issuperset(inputs)
        produced.add(output)
    names = [name for name, _, _ in calls]
    assert names[-1] == "dense"
    assert names.count("separable_conv2d") == 2, "the body is used twice"
    before = len(calls)
    network(images)
    assert len(calls) == before


def test_feature_maps_are_of_every_convolution() -> None:
    network = NetworkFunction.model_validate(nested).build(image_shape=SHAPE, classes=3, seed=0)
    image = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    maps = FeatureMaps.compute(network, (TestImage(0, "one", image), TestImage(1, "two", 1 - image)))
    assert maps is not None
    body, top = ["depthwise_conv2d", "separable_conv2d"], ["conv2d", "conv2d_1", "conv2d_2", "conv2d_3"]
    assert sorted(maps.names) == sorted((*body, *body, *top))
    assert maps.convolutions[0].shape == (2, 6, 6, 1)
    assert np.ptp(maps.convolutions[-1], axis=0).max() > 0, "the images differ"
