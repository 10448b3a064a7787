"""A trained network as a description in JSON and its weights, which network.js computes an answer with."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from components.artifacts import Model, Stored

Layer = dict[str, Any]
"""One operation: its `kind`, one of network.js's `OPERATIONS`, and what that reads of it. `arrays` names its numbers by
[first, behind the last] among all weights; `maps` says that the first convolution's maps go through it."""


@dataclass(frozen=True)
class ExportedNetwork:
    """A network as a page computes it."""

    input_shape: tuple[int, int, int]
    """Height, width and channels."""
    layers: tuple[Layer, ...]
    weights: bytes
    """Little-endian float32."""

    @property
    def base64(self) -> str:
        """The weights as text."""
        return base64.b64encode(self.weights).decode()


class UnknownLayerError(Exception):
    """A layer is of a kind, or set to do something, that network.js does not compute."""


def export_network(network: Any) -> ExportedNetwork | None:
    """Return a keras.Sequential as a page computes it; None for a layer that a page does not know, or without softmax.

    Known are Conv2D of stride 1, MaxPooling2D, BatchNormalization over channels (folded into a factor and a summand),
    ReLU, Flatten, Dropout (which does nothing after training) and Dense, with activations ReLU and softmax.
    The page computes in float32 whatever precision the network was trained in.
    """
    writer = _Writer()
    try:
        for layer in network.layers:
            _export_layer(layer, writer)
    except UnknownLayerError:
        return None
    if writer.layers[-1]["kind"] != "softmax":
        return None
    return writer.exported(network.input_shape[1:])


def export_linear(model: Stored[Model]) -> ExportedNetwork:
    """Return a `linear` model as a page computes it."""
    writer = _Writer()
    with np.load(model.directory / model.artifact.file, allow_pickle=False) as arrays:
        writer.add("dense", {name: arrays[name] for name in ("weights", "bias")})
    writer.add("softmax")
    return writer.exported(model.artifact.image_shape)


@dataclass
class _Writer:
    """Collects layers, and their numbers one behind the other."""

    layers: list[Layer] = field(default_factory=list)
    numbers: list[NDArray[np.float32]] = field(default_factory=list)
    count: int = 0

    def add(self, kind: str, arrays: Mapping[str, NDArray[Any]] = MappingProxyType({}), **settings: Any) -> None:
        layer: Layer = {"kind": kind, **settings}
        for name, array in arrays.items():
            layer.setdefault("arrays", {})[name] = [self.count, self.count + array.size]
            self.numbers.append(array.astype("<f4").reshape(-1))
            self.count += array.size
        self.layers.append(layer)

    def exported(self, input_shape: tuple[int, int, int]) -> ExportedNetwork:
        return ExportedNetwork(
            input_shape, tuple(_with_maps(self.layers)), b"".join(map(np.ndarray.tobytes, self.numbers))
        )


def _with_maps(layers: list[Layer]) -> list[Layer]:
    """Mark the first convolution and what is then done to each of its values by itself."""
    marked, state = [], "before"
    for layer in layers:
        if layer["kind"] == "convolution":
            state = "in" if state == "before" else "behind"
        elif layer["kind"] == "dense":
            state = "behind"
        takes_part = state == "in" and layer["kind"] != "pooling"
        marked.append({**layer, "maps": True} if takes_part else layer)
    return marked


def _export_layer(layer: Any, writer: _Writer) -> None:
    import keras
    from keras import layers

    match layer:
        case layers.Dropout() | layers.Flatten():  # a page's tensors lie flat as they are
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
            raise UnknownLayerError(type(layer).__name__)
    activation = getattr(layer, "activation", keras.activations.linear)
    if activation in (keras.activations.relu, keras.activations.softmax):
        writer.add(activation.__name__)
    elif activation is not keras.activations.linear:
        raise UnknownLayerError(f"{type(layer).__name__} with {activation}")


def _add_windowed(writer: _Writer, kind: str, layer: Any, window: tuple[int, int], strides: tuple[int, int]) -> None:
    """Add a layer that goes over its input in windows; `before` is how far the first reaches out of it."""
    if layer.data_format != "channels_last":
        raise UnknownLayerError(f"{kind} with {layer.data_format}")
    inside, outside = layer.input.shape[1:3], tuple(layer.output.shape[1:])
    # Where the padding is odd, TensorFlow puts the smaller half before ("Notes on padding", tf.nn).
    before = [
        max((count - 1) * stride + size - length, 0) // 2 if layer.padding == "same" else 0
        for count, stride, size, length in zip(outside[:2], strides, window, inside, strict=True)
    ]
    arrays = _weights(layer) if kind == "convolution" else {}
    writer.add(kind, arrays, output=outside, window=window, strides=strides, before=before)


def _weights(layer: Any) -> dict[str, NDArray[np.float32]]:
    weights = layer.kernel.numpy()
    return {"weights": weights, "bias": layer.bias.numpy() if layer.use_bias else np.zeros(weights.shape[-1])}


def _folded(layer: Any) -> dict[str, NDArray[np.float64]]:
    """Return (x - mean) / sqrt(variance + epsilon) * gamma + beta as x * scale + offset."""
    mean, variance = (array.numpy().astype(np.float64) for array in (layer.moving_mean, layer.moving_variance))
    scale = (layer.gamma.numpy() if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    return {"scale": scale, "offset": (layer.beta.numpy() if layer.center else 0.0) - mean * scale}
