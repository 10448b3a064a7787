"""A trained network as JSON and weights, from which network.js computes predictions."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Model, Stored
from components.visualizer.network_calls import observe_calls
from components.visualizer.sketchpad.operations import (
    ELEMENTWISE,
    Operation,
    Shape,
    UnsupportedLayerError,
    layer_operations,
)

LayerDescription = dict[str, Any]
"""One operation: its `kind` and settings. `inputs` are the numbers of the operations whose results it takes, and -1 for
the image; without it, the previous one. `arrays` gives the range of each array [start, end) among all weights; `maps`
marks the operations that produce the shown maps of the first convolution."""
IMAGE = -1


@dataclass(frozen=True)
class ExportedNetwork:
    """A network in the form that the page runs."""

    input_shape: Shape
    layers: tuple[LayerDescription, ...]
    weights: bytes
    """Little-endian float32."""


def export_network(network: Any) -> ExportedNetwork:
    """Return a Keras network in the form that the page runs: the operations of one prediction, in order.

    Layers of nested networks are among them, and a layer that is used several times is several operations. The page
    computes in float32, also after a training in another precision.

    Raises:
        UnsupportedLayerError: if the page cannot run the network.
    """
    import tensorflow as tf

    image = tf.zeros((1, *network.input_shape[1:]))
    calls: list[Any] = []
    probabilities = observe_calls(network, image, lambda *call: calls.append(call))
    writer = _Writer(numbers={id(image): IMAGE})
    for layer, inputs, output in calls:
        try:
            writer.add_call(inputs, output, layer_operations(layer, inputs, output))
        except UnsupportedLayerError as error:
            description = f"{type(layer).__name__} {error}".rstrip()
            raise UnsupportedLayerError(f"the layer {layer.name} ({description})") from error
    if writer.layers[-1]["kind"] != "softmax" or writer.numbers[id(probabilities)] != len(writer.layers) - 1:
        raise UnsupportedLayerError("a network whose output is not a softmax")
    return writer.exported(network.input_shape[1:])


def export_linear(model: Stored[Model]) -> ExportedNetwork:
    """Return a `linear` model in the form that the page runs."""
    writer = _Writer()
    with np.load(model.directory / model.artifact.file, allow_pickle=False) as arrays:
        writer.add(Operation("dense", arrays={name: arrays[name] for name in ("weights", "bias")}))
    writer.add(Operation("softmax"))
    return writer.exported(model.artifact.image_shape)


@dataclass
class _Writer:
    layers: list[LayerDescription] = field(default_factory=list)
    arrays: list[NDArray[np.float32]] = field(default_factory=list)
    size: int = 0
    numbers: dict[int, int] = field(default_factory=dict)
    """By the id of each tensor so far, which must stay alive: the number of the operation that returned it."""

    def add(self, operation: Operation) -> None:
        layer: LayerDescription = {"kind": operation.kind, **operation.settings}
        for name, array in operation.arrays.items():
            layer.setdefault("arrays", {})[name] = [self.size, self.size + array.size]
            self.arrays.append(array.astype("<f4").reshape(-1))
            self.size += array.size
        self.layers.append(layer)

    def add_call(self, inputs: list[Any], output: Any, operations: list[Operation]) -> None:
        """Add the operations of a layer, between the tensors that it took and returned."""
        if not {id(tensor) for tensor in inputs} <= self.numbers.keys():
            raise UnsupportedLayerError("with a constant as its input")
        numbers = [self.numbers[id(tensor)] for tensor in inputs]
        before = len(self.layers) - 1
        for operation in operations:
            self.add(operation)
        if operations and numbers != [before]:
            self.layers[before + 1]["inputs"] = numbers
        # A dropout returns the tensor that it takes, whose number does not change.
        self.numbers[id(output)] = len(self.layers) - 1 if operations else numbers[0]

    def exported(self, input_shape: Shape) -> ExportedNetwork:
        weights = b"".join(map(np.ndarray.tobytes, self.arrays))
        return ExportedNetwork(input_shape, tuple(_with_maps(self.layers)), weights)


def _with_maps(layers: list[LayerDescription]) -> list[LayerDescription]:
    kinds = [layer["kind"] for layer in layers]
    first = kinds.index("convolution") if "convolution" in kinds else len(kinds)
    end = first + 1
    while end < len(layers) and "inputs" not in layers[end] and kinds[end] in (*ELEMENTWISE, "pooling"):
        end += 1
    return [
        {**layer, "maps": True} if first <= n < end and layer["kind"] != "pooling" else layer
        for n, layer in enumerate(layers)
    ]
