"""Copy of a network with the same weights and other layers."""

from collections.abc import Callable
from typing import Any


def copy_network(network: Any, copy_layer: Callable[[Any], Any]) -> Any:
    """Return a copy of a Keras network, also of nested ones, with the same weights and dtype policy.

    Args:
        copy_layer: returns the new layer for a layer, with weights of the same shapes.
    """
    import keras

    copy = keras.models.clone_model(network, clone_function=copy_layer, recursive=True)
    copy.set_weights(network.get_weights())
    copy.dtype_policy = network.dtype_policy
    return copy
