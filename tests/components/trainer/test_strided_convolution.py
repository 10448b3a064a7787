"""Strided 1x1 convolutions: equal results, and no gradient of the kind that crashes TensorFlow."""

from typing import Any

import numpy as np
import pytest

from components.trainer.strided_convolution import slice_before_strided_convolutions


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_the_gradient_of_a_strided_1x1_convolution_has_no_stride(padding: str) -> None:
    import keras
    import tensorflow as tf

    shortcut = keras.layers.Conv2D(3, 1, strides=(2, 3), padding=padding, kernel_initializer="ones")
    body = keras.Sequential([keras.Input((7, 8, 2)), shortcut])
    network = keras.Sequential([keras.Input((7, 8, 2)), body])
    images = np.random.default_rng(0).random((2, 7, 8, 2), np.float32)
    expected = network(images)

    @tf.function  # type: ignore[untyped-decorator]
    def gradient(images: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(network(images))
        return tape.gradient(loss, shortcut.kernel)

    slice_before_strided_convolutions(network)
    operations = gradient.get_concrete_function(images).graph.get_operations()
    strides = [list(each.get_attr("strides")) for each in operations if each.type == "Conv2DBackpropFilter"]
    assert strides == [[1, 1, 1, 1]]
    np.testing.assert_allclose(network(images), expected, rtol=1e-6)
    assert keras.Sequential.from_config(network.get_config()).count_params() == network.count_params()
