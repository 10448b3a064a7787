"""Operations of network.js for each layer of Keras."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.inference.normalization import scale_and_offset

Shape = tuple[int, int, int]
"""Height, width and channels; a row of values is one pixel."""
IDENTITIES = ("Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "Identity", "ActivityRegularization")
"""Layers that return their input, at least after training."""
ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "relu": ("relu", {}),
    "relu6": ("relu", {"most": 6}),
    "leaky_relu": ("relu", {"slope": 0.2}),  # Keras's default
    "sigmoid": ("sigmoid", {}),
    "silu": ("silu", {}),
    "tanh": ("tanh", {}),
    "softmax": ("softmax", {}),
}
"""Kind and settings of the operation of each of Keras's activation functions."""
ELEMENTWISE = ("scale", "relu", "sigmoid", "silu", "tanh")
"""Operations on each value alone: a feature map stays the map of the same filter."""


@dataclass(frozen=True)
class Operation:
    """One of the `OPERATIONS` of network.js, with its settings and weights."""

    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


class UnsupportedLayerError(Exception):
    """A layer, or a setting of one, that network.js cannot compute; the text names it."""


def layer_operations(layer: Any, inputs: list[Any], output: Any) -> list[Operation]:
    """Return the operations of a layer, or of another Keras operation, that took and returned these tensors.

    Raises:
        UnsupportedLayerError: if network.js cannot compute them; the text is the reason, or empty.
    """
    import keras

    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise UnsupportedLayerError(f"with {layer.data_format}")
    operations = _without_activation(layer, inputs, output)
    activation = getattr(layer, "activation", keras.activations.linear)
    if activation is keras.activations.linear:
        return operations
    name = getattr(activation, "__name__", str(activation))
    if name not in ACTIVATIONS or getattr(keras.activations, name) is not activation:
        raise UnsupportedLayerError(f"with {name}")
    if name == "softmax" and len(output.shape) != 2:
        raise UnsupportedLayerError("with a softmax of images")
    return [*operations, Operation(*ACTIVATIONS[name])]


def _without_activation(layer: Any, inputs: list[Any], output: Any) -> list[Operation]:
    import keras
    from keras import layers

    shape, is_row = _shape(output), len(output.shape) == 2
    last_axis = (-1, len(output.shape) - 1)
    match layer:
        case layers.Layer() if isinstance(layer, layers.Activation) or type(layer).__name__ in IDENTITIES:
            return []
        case layers.Flatten() | layers.Reshape():
            return [Operation("reshape", {"output": shape})]
        case layers.Dense() if is_row:
            return [Operation("dense", arrays={"weights": layer.kernel.numpy(), "bias": _bias(layer, shape)})]
        case layers.Conv2D() if layer.dilation_rate == (1, 1) and layer.groups == 1:
            arrays = {"weights": layer.kernel.numpy(), "bias": _bias(layer, shape)}
            return [Operation("convolution", _window(layer, layer.kernel_size, inputs[0], shape), arrays)]
        case layers.DepthwiseConv2D() if layer.dilation_rate == (1, 1):
            arrays = {"weights": layer.kernel.numpy(), "bias": _bias(layer, shape)}
            return [Operation("depthwise", _window(layer, layer.kernel_size, inputs[0], shape), arrays)]
        case layers.SeparableConv2D() if layer.dilation_rate == (1, 1):
            kernel, pointwise = layer.depthwise_kernel.numpy(), layer.pointwise_kernel.numpy()
            between = (*shape[:2], pointwise.shape[2])
            settings = {"output": shape, "window": (1, 1), "strides": (1, 1), "before": (0, 0)}
            return [
                Operation(
                    "depthwise",
                    _window(layer, layer.kernel_size, inputs[0], between),
                    {"weights": kernel, "bias": np.zeros(between[2])},
                ),
                Operation("convolution", settings, {"weights": pointwise, "bias": _bias(layer, shape)}),
            ]
        case layers.MaxPooling2D():
            return [Operation("pooling", _window(layer, layer.pool_size, inputs[0], shape))]
        case layers.AveragePooling2D():
            return [Operation("average", _window(layer, layer.pool_size, inputs[0], shape))]
        case layers.GlobalMaxPooling2D() | layers.GlobalAveragePooling2D():
            height, width, channels = _shape(inputs[0])
            settings = {"output": (1, 1, channels), "window": (height, width), "strides": (1, 1), "before": (0, 0)}
            return [Operation("pooling" if isinstance(layer, layers.GlobalMaxPooling2D) else "average", settings)]
        case layers.ZeroPadding2D():
            return [Operation("pad", {"output": shape, "before": [before for before, _ in layer.padding]})]
        case layers.Cropping2D():
            before = [-first for first, _ in layer.cropping]
            return [Operation("pooling", {"output": shape, "window": (1, 1), "strides": (1, 1), "before": before})]
        case layers.BatchNormalization() if layer.axis in last_axis:
            return [Operation("scale", arrays=dict(zip(("scale", "offset"), scale_and_offset(layer), strict=True)))]
        case layers.Rescaling():
            values = {"scale": layer.scale, "offset": layer.offset}
            arrays = {name: np.broadcast_to(value, shape[2]) for name, value in values.items()}
            return [Operation("scale", arrays=arrays)]
        case layers.ReLU() if not layer.threshold:
            limits = {"most": layer.max_value, "slope": float(layer.negative_slope) or None}
            return [Operation("relu", {name: value for name, value in limits.items() if value is not None})]
        case layers.LeakyReLU():
            return [Operation("relu", {"slope": float(layer.negative_slope)})]
        case layers.Softmax() if is_row and layer.axis in last_axis:
            return [Operation("softmax")]
        case layers.Concatenate() if layer.axis in last_axis:
            return [Operation("concatenate", {"output": shape})]
        case keras.Operation() if type(layer).__name__ in ("Add", "Multiply") and _is_pointwise(inputs, shape):
            return [Operation(type(layer).__name__.lower())]  # the layer, or the operator of two tensors
    raise UnsupportedLayerError


def _shape(tensor: Any) -> Shape:
    match tuple(tensor.shape[1:]):
        case (height, width, channels):
            return height, width, channels
        case (channels,):
            return 1, 1, channels
    raise UnsupportedLayerError(f"with a tensor of {len(tensor.shape)} axes")


def _window(layer: Any, window: tuple[int, int], image: Any, output: Shape) -> dict[str, Any]:
    """Return the settings of a sliding window; `before` is the padding above and to the left."""
    # TensorFlow puts the smaller half of an odd padding before the input ("Notes on padding", tf.nn).
    before = [
        max((count - 1) * stride + size - length, 0) // 2 if layer.padding == "same" else 0
        for count, stride, size, length in zip(output[:2], layer.strides, window, _shape(image)[:2], strict=True)
    ]
    return {"output": output, "window": window, "strides": layer.strides, "before": before}


def _is_pointwise(inputs: list[Any], output: Shape) -> bool:
    """Return whether inputs have the output's shape, or one value per channel, which network.js repeats."""
    return len(inputs) > 1 and all(_shape(tensor) in (output, (1, 1, output[2])) for tensor in inputs)


def _bias(layer: Any, output: Shape) -> NDArray[np.float32]:
    bias: NDArray[np.float32] = layer.bias.numpy() if layer.use_bias else np.zeros(output[2], np.float32)
    return bias
