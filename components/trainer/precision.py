"""Mixed precision: a network whose layers compute in another precision than that of its weights."""

from typing import Any

from components.trainer.network_copy import copy_network


def with_precision(network: Any, precision: str) -> Any:
    """Return a copy of a Keras network with the same weights, whose layers have another dtype policy.

    The last layer stays in float32, because a softmax in float16 rounds small probabilities to zero
    (https://www.tensorflow.org/guide/mixed_precision). Keras scales the loss of a model with the policy
    `mixed_float16`, so that small gradients do not become zero.
    """
    import keras

    last = network
    while isinstance(last, keras.Model):
        last = last.layers[-1]

    def copy_layer(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, keras.Layer) and layer is not last:
            config["dtype"] = precision
        return type(layer).from_config(config)

    copy = copy_network(network, copy_layer)
    copy.dtype_policy = keras.dtype_policies.get(precision)
    return copy
