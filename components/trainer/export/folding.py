"""Folding of a network for quantization: the fewer operations, the fewer roundings to 8 bits."""

from typing import Any

from components.inference.normalization import scale_and_offset
from components.trainer.export.serving_model import copy_network


def fold_network(network: Any) -> Any:
    """Return a network with the same predictions, up to rounding in float32.

    - The weights of a convolution or dense layer include the batch normalization after it (B. Jacob et al.,
      "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018).
    - ReLU becomes the activation of that layer: all 256 values of int8 are then for positive outputs.
    - Max-pooling may be between the two, because functions that never decrease give the same before and after it.
    - Flatten becomes a reshape to a constant shape, which is one operation instead of four.

    Layers that match none of these stay as they are, and so does a network that is not a keras.Sequential.
    """
    import keras

    if not isinstance(network, keras.Sequential):
        return network
    layers: list[Any] = []
    for layer in copy_network(network).layers:
        position = _last_linear(layers)
        if position is not None and _is_relu(layer):
            layers[position].activation = keras.activations.relu
        elif position is not None and _can_fold(layer, layers[position:]):
            layers[position] = _fold(layers[position], layer)
        elif type(layer) is keras.layers.Flatten and layer.data_format == "channels_last":
            layers.append(_flatten(layer))
        else:
            layers.append(layer)
    return keras.Sequential([keras.Input(network.input_shape[1:]), *layers], name=network.name)


def _last_linear(layers: list[Any]) -> int | None:
    """Return the position of the last convolution or dense layer if it has no activation, else None.

    Nothing or one max-pooling may follow it.
    """
    import keras

    position = len(layers) - 1
    if position > 0 and type(layers[position]) is keras.layers.MaxPooling2D:
        position -= 1
    if position < 0 or type(layers[position]) not in (keras.layers.Conv2D, keras.layers.Dense):
        return None
    return position if layers[position].activation is keras.activations.linear else None


def _is_relu(layer: Any) -> bool:
    import keras

    if type(layer) is keras.layers.Activation:
        return layer.activation is keras.activations.relu
    is_relu = type(layer) is keras.layers.ReLU
    return is_relu and layer.max_value is None and not layer.negative_slope and not layer.threshold


def _can_fold(layer: Any, before: list[Any]) -> bool:
    """Return whether a layer normalizes the channels of a linear layer, and never decreases if a pooling is between."""
    import keras

    if type(layer) is not keras.layers.BatchNormalization or layer.axis not in (-1, len(layer.input.shape) - 1):
        return False
    if any(getattr(each, "data_format", "channels_last") != "channels_last" for each in before):
        return False
    scale, _ = scale_and_offset(layer)
    return len(before) == 1 or bool((scale >= 0).all())


def _fold(layer: Any, normalization: Any) -> Any:
    """Return a layer that includes the normalization of its outputs."""
    scale, offset = scale_and_offset(normalization)
    kernel, *bias = layer.get_weights()
    folded = type(layer).from_config({**layer.get_config(), "use_bias": True})
    folded.build_from_config(layer.get_build_config())  # a folded layer was never called, and has no `input`
    folded.set_weights([kernel * scale, sum(bias) * scale + offset])
    return folded


def _flatten(layer: Any) -> Any:
    import keras
    import tensorflow as tf

    size = layer.output.shape[1]
    return keras.layers.Lambda(lambda inputs: tf.reshape(inputs, [-1, size]), output_shape=(size,), name=layer.name)
