"""What is to be deployed: a network, what makes its images of raw ones, and how its answers are averaged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from components.inference.averaging import average_over_shifts
from components.inference.predictor import NETWORK_LAYER
from components.inference.transform_graph import apply_tensorflow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from components.artifacts import GraphOperation

INPUT, PROBABILITIES, LABEL = "images", "probabilities", "label"
"""Of what is served: uint8 [batch, height, width]; float32 [batch, classes]; int64 [batch]."""


@dataclass(frozen=True)
class ServingModel:
    """A trained network with all that is around it where it answers raw images.

    Attributes:
        network: a keras.Sequential of what `graph` makes; it computes in float32.
        graph: what to do with raw images before the network.
        test_time_shift: answers are means over images moved by up to so many pixels (see `average_over_shifts`).
    """

    network: Any
    graph: tuple[GraphOperation, ...]
    test_time_shift: int = 0

    @classmethod
    def of(cls, network: Any, graph: tuple[GraphOperation, ...], test_time_shift: int = 0) -> ServingModel:
        """Return a deployable of a copy of a network.

        Variables are named after where their network was built, in a training or within a model that was read back,
        and the names are written too: those of a copy are the same always.
        """
        return cls(copy_of(network), graph, test_time_shift)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images."""
        height, width, _ = self.network.input_shape[1:]
        return height, width

    @cached_property
    def serve(self) -> Any:
        """The tf.function that every form but `.keras` is made of: from images to probabilities and labels."""
        import tensorflow as tf

        # Nothing here branches on a tensor: to look for that takes longer than the rest of exporting.
        @tf.function(  # type: ignore[untyped-decorator]
            input_signature=[tf.TensorSpec((None, *self.image_size), tf.uint8, name=INPUT)], autograph=False
        )
        def serve(images: Any) -> dict[str, Any]:
            scaled = apply_tensorflow(self.graph, images)
            answer = partial(self.network, training=False)
            probabilities = average_over_shifts(answer, scaled, shift=self.test_time_shift)
            return {PROBABILITIES: probabilities, LABEL: tf.argmax(probabilities, axis=-1)}

        return serve

    def answer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the network in memory says of raw images, float32 [count, classes]."""
        import tensorflow as tf

        probabilities: NDArray[np.float32] = self.serve(tf.constant(images))[PROBABILITIES].numpy()
        return probabilities


def copy_of(network: Any) -> Any:
    """Return another keras.Sequential of the same layers and weights, called `NETWORK_LAYER`."""
    import keras

    config = network.get_config()
    # All at once: `Sequential.from_config` builds anew after each layer.
    copy = keras.Sequential([keras.layers.deserialize(layer) for layer in config["layers"]], name=NETWORK_LAYER)
    if not copy.built:  # its input is no layer
        copy.build(network.input_shape)
    copy.set_weights(network.get_weights())
    return copy
