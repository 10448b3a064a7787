"""A trained network as JSON and weights, from which network.js computes predictions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Model, Stored

LayerDescription = dict[str, Any]
"""One operation. `kind` is one of network.js's `OPERATIONS`, with its settings. `arrays` gives the range of each array
[start, end) among all weights; `maps` marks the operations that produce the shown maps of the first convolution."""


@dataclass(frozen=True)
class ExportedNetwork:
    """A network in the form that the page runs."""

    input_shape: tuple[int, int, int]
    """Height, width and channels."""
    layers: tuple[LayerDescription, ...]
    weights: bytes
    """Little-endian float32."""


class UnsupportedLayerError(Exception):
    """network.js cannot compute a layer or one of its settings."""


def export_network(network: Any) -> ExportedNetwork | None:
    """Return a keras.Sequential in the form that the page runs; None if it has an unsupported layer or no softmax.

    Supported are Conv2D of stride 1, MaxPooling2D, BatchNormalization over channels (folded into scale and offset),
    ReLU, Flatten, Dropout (the identity after training) and Dense, with the activations ReLU and softmax. The page
    computes in float32, also after a training in another precision.
    """
    writer = _Writer()
    try:
        for layer in network.layers:
            _export_layer(layer, writer)
    except UnsupportedLayerError:
        return None
    if writer.layers[-1]["kind"] != "softmax":
        return None
    return writer.exported(network.input_shape[1:])


def export_linear(model: Stored[Model]) -> ExportedNetwork:
    """Return a `linear` model in the form that the page runs."""
    writer = _Writer()
    with np.load(model.directory / model.artifact.file, allow_pickle=False) as arrays:
        writer.add("dense", {name: arrays[name] for name in ("weights", "bias")})
    writer.add("softmax")
    return writer.exported(model.artifact.image_shape)


@dataclass
class _Writer:
    layers: list[LayerDescription] = field(default_factory=list)
    arrays: list[NDArray[np.float32]] = field(default_factory=list)
    size: int = 0

    def add(self, kind: str, arrays: Mapping[str, NDArray[Any]] | None = None, **settings: Any) -> None:
        layer: LayerDescription = {"kind": kind, **settings}
        for name, array in (arrays or {}).items():
            layer.setdefault("arrays", {})[name] = [self.size, self.size + array.size]
            self.arrays.append(array.astype("<f4").reshape(-1))
            self.size += array.size
        self.layers.append(layer)

    def exported(self, input_shape: tuple[int, int, int]) -> ExportedNetwork:
        weights = b"".join(map(np.ndarray.tobytes, self.arrays))
        return ExportedNetwork(input_shape, tuple(_with_maps(self.layers)), weights)


def _with_maps(layers: list[LayerDescription]) -> list[LayerDescription]:
    kinds = [layer["kind"] for layer in layers]
    first = kinds.index("convolution") if "convolution" in kinds else len(kinds)
    end = next((n for n in range(first + 1, len(kinds)) if kinds[n] in ("convolution", "dense")), len(kinds))
    return [
        {**layer, "maps": True} if first <= n < end and layer["kind"] != "pooling" else layer
        for n, layer in enumerate(layers)
    ]


def _export_layer(layer: Any, writer: _Writer) -> None:
    import keras
    from keras import layers

    match layer:
        case layers.Dropout() | layers.Flatten():  # network.js keeps all tensors flat
            return
        case layers.Conv2D() if layer.strides == layer.dilation_rate == (1, 1) and layer.groups == 1:
            _add_windowed(writer, "convolution", layer, layer.kernel_size, (1, 1))
        case layers.MaxPooling2D():
            _add_windowed(writer, "pooling", layer, layer.pool_size, layer.strides)
        case layers.BatchNormalization() if layer.axis in (-1, len(layer.output.shape) - 1):
            writer.add("scale", _folded(layer))
        case layers.ReLU() if layer.max_value is None and not layer.negative_slope and not layer.threshold:
            writer.add("relu")
        case layers.Dense() if len(layer.input.shape) == 2:
            writer.add("dense", _weights(layer))
        case _:
            raise UnsupportedLayerError(type(layer).__name__)
    activation = getattr(layer, "activation", keras.activations.linear)
    if activation in (keras.activations.relu, keras.activations.softmax):
        writer.add(activation.__name__)
    elif activation is not keras.activations.linear:
        raise UnsupportedLayerError(f"{type(layer).__name__} with {activation}")


def _add_windowed(writer: _Writer, kind: str, layer: Any, window: tuple[int, int], strides: tuple[int, int]) -> None:
    """Add a layer with a sliding window; `before` is the padding above and to the left."""
    if layer.data_format != "channels_last":
        raise UnsupportedLayerError(f"{kind} with {layer.data_format}")
    inputs, outputs = layer.input.shape[1:3], tuple(layer.output.shape[1:])
    # TensorFlow puts the smaller half of an odd padding before the input ("Notes on padding", tf.nn).
    before = [
        max((count - 1) * stride + size - length, 0) // 2 if layer.padding == "same" else 0
        for count, stride, size, length in zip(outputs[:2], strides, window, inputs, strict=True)
    ]
    arrays = _weights(layer) if kind == "convolution" else None
    writer.add(kind, arrays, output=outputs, window=window, strides=strides, before=before)


def _weights(layer: Any) -> dict[str, NDArray[np.float32]]:
    weights = layer.kernel.numpy()
    return {"weights": weights, "bias": layer.bias.numpy() if layer.use_bias else np.zeros(weights.shape[-1])}


def _folded(layer: Any) -> dict[str, NDArray[np.float64]]:
    """Return (x - mean) / sqrt(variance + epsilon) * gamma + beta as x * scale + offset."""
    mean, variance = (array.numpy().astype(np.float64) for array in (layer.moving_mean, layer.moving_variance))
    scale = (layer.gamma.numpy() if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    return {"scale": scale, "offset": (layer.beta.numpy() if layer.center else 0.0) - mean * scale}
