"""Serving model: the trained network with the preprocessing in front of it and the averaging behind it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from components.artifacts import GraphOperation, ImageShape, raw_shape
from components.inference.averaging import average_over_shifts
from components.inference.predictor import NETWORK_LAYER
from components.inference.transform_graph import apply_tensorflow

INPUT, PROBABILITIES, LABEL = "images", "probabilities", "label"
"""Names in the serving signature: uint8 [batch, height, width(, 3)]; float32 [batch, classes]; int64 [batch]."""
RawImages: TypeAlias = NDArray[np.uint8]
"""uint8 [count, height, width] or, in color, [count, height, width, 3]"""
Outputs: TypeAlias = dict[str, NDArray[Any]]
"""`probabilities`, and in most formats `label`."""


@dataclass(frozen=True, kw_only=True)
class ExampleImages:
    """Raw images that exporting needs.

    Attributes:
        check: validation images, on which predictions are compared.
        calibration: returns batches of training images, whose activations determine the ranges of 8-bit integers. They
            are read only when a format needs them.
    """

    check: RawImages
    calibration: Callable[[], Iterable[RawImages]]


@dataclass(frozen=True)
class ServingModel:
    """A trained network that predicts raw images.

    Attributes:
        network: a Keras network of scaled images, Sequential or functional; it computes in float32.
        graph: the operations that scale raw images.
        test_time_shift: predictions are means over shifts of up to this many pixels (see `average_over_shifts`).
        picture_shape: of the images before the graph; by default that of the network's input.
    """

    network: Any
    graph: tuple[GraphOperation, ...]
    test_time_shift: int = 0
    picture_shape: ImageShape | None = None

    @classmethod
    def from_network(
        cls,
        network: Any,
        graph: tuple[GraphOperation, ...],
        test_time_shift: int = 0,
        picture_shape: ImageShape | None = None,
    ) -> Self:
        """Return a serving model of a copy of the network.

        Exports contain the names of variables. Those of a copy are always the same; those of a network depend on how it
        was built.
        """
        return cls(copy_network(network), graph, test_time_shift, picture_shape)

    @property
    def raw_shape(self) -> tuple[int, ...]:
        """The shape of a raw image."""
        return raw_shape(self.picture_shape or self.network.input_shape[1:])

    @cached_property
    def serve(self) -> Any:
        """The tf.function from images to probabilities and labels; every format except `.keras` is made from it."""
        import tensorflow as tf

        # Nothing here branches on a tensor: AutoGraph's search for branches takes longer than the rest of exporting.
        @tf.function(  # type: ignore[untyped-decorator]
            input_signature=[tf.TensorSpec((None, *self.raw_shape), tf.uint8, name=INPUT)], autograph=False
        )
        def serve(images: Any) -> dict[str, Any]:
            scaled = apply_tensorflow(self.graph, images)
            predict = partial(self.network, training=False)
            probabilities = average_over_shifts(predict, scaled, shift=self.test_time_shift)
            return {PROBABILITIES: probabilities, LABEL: tf.argmax(probabilities, axis=-1)}

        return serve

    def as_module(self) -> Any:
        """Return a tf.Module with the weights and `serve`, from which TensorFlow makes signatures."""
        import tensorflow as tf

        module = tf.Module()
        module.weights = [variable.value for variable in self.network.weights]
        module.serve = self.serve
        return module

    def predict(self, images: RawImages) -> NDArray[np.float32]:
        """Return the probabilities of raw images, float32 [count, classes], from the network in memory."""
        import tensorflow as tf

        probabilities: NDArray[np.float32] = self.serve(tf.constant(images))[PROBABILITIES].numpy()
        return probabilities


def copy_network(network: Any) -> Any:
    """Return a Keras network of the same layers and weights, named `NETWORK_LAYER`."""
    import keras

    config = network.get_config()
    if isinstance(network, keras.Sequential):
        # All layers at once: `Sequential.from_config` rebuilds after each one.
        copy = keras.Sequential([keras.layers.deserialize(layer) for layer in config["layers"]], name=NETWORK_LAYER)
        if not copy.built:  # the config has no input layer
            copy.build(network.input_shape)
    else:
        copy = type(network).from_config({**config, "name": NETWORK_LAYER})
    copy.set_weights(network.get_weights())
    return copy
