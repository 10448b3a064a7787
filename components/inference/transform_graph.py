"""The transform graph: typed operations with the same result in NumPy, TensorFlow and Keras.

Transform applies the graph with NumPy. Trainer adds it to the served model, with TensorFlow operations or Keras
layers. All three perform the same IEEE 754 single-precision operations in the same order, so training and serving
cannot differ; a test compares them on every pixel value, bit by bit. A custom function is in the graph as a Keras model
without weights: Transform compares it with the function in NumPy.

There is no division: TensorFlow's graph optimizer replaces a division by a constant with a multiplication by its
reciprocal, which differs in the last bit for 126 of the 256 pixel values.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NoReturn

from components.artifacts import GraphOperation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PICTURE_OPERATIONS = ("cast", "multiply", "expand_dims")


def scaling_graph(channels: int = 1) -> tuple[GraphOperation, ...]:
    """Return the graph from raw images to float32 [batch, height, width, channels] in 0..1.

    Raw images are uint8 [batch, height, width] for one channel, and [batch, height, width, 3] for three.
    """
    scaling = (GraphOperation(op="cast", dtype="float32"), GraphOperation(op="multiply", by=1 / 255))
    return scaling if channels > 1 else (*scaling, GraphOperation(op="expand_dims", axis=-1))


def picture_graph(graph: Sequence[GraphOperation]) -> tuple[GraphOperation, ...]:
    """Return the first operations of a graph: from raw images to pictures, float32 [batch, height, width, channels].

    The values of pictures are from 0 to 1.
    """
    return tuple(takewhile(lambda operation: operation.op in PICTURE_OPERATIONS, graph))


def input_graph(graph: Sequence[GraphOperation]) -> tuple[GraphOperation, ...]:
    """Return the other operations: from pictures to the network's input; empty if that is a picture."""
    return tuple(graph[len(picture_graph(graph)) :])


def describe(graph: Sequence[GraphOperation]) -> str:
    """Return a description of the graph.

    >>> describe((*scaling_graph(), GraphOperation(op="resize", size=(32, 32))))
    'scaled to 0..1, resized to 32x32'
    """
    parts = ["scaled to 0..1"]
    for operation in input_graph(graph):
        match operation:
            case GraphOperation(op="resize", size=(height, width)):
                parts.append(f"resized to {height}x{width}")
            case GraphOperation(op="multiply"):  # after the addition of the negative mean
                parts.append("standardized")
            case GraphOperation(op="function", name=str(name)):
                parts.append(f"converted by {name}")
    return ", ".join(parts)


def apply_numpy(graph: Iterable[GraphOperation], images: NDArray[Any]) -> NDArray[np.float32]:
    """Apply the graph, or a part of it, to a batch of images with NumPy; custom functions, with Keras."""
    import numpy as np

    from components.inference.resize import resize_bilinear

    value = images
    for operation in graph:
        match operation:
            case GraphOperation(op="cast", dtype=str(dtype)):
                value = value.astype(dtype)
            case GraphOperation(op="multiply", by=float() | tuple() as factor):
                value = value * np.asarray(factor, value.dtype)
            case GraphOperation(op="add", by=float() | tuple() as summand):
                value = value + np.asarray(summand, value.dtype)
            case GraphOperation(op="expand_dims", axis=int(axis)):
                value = np.expand_dims(value, axis)
            case GraphOperation(op="resize", size=tuple(size)):
                value = resize_bilinear(value, *size)
            case GraphOperation(op="function", model=dict(model)):
                value = _load(model)(value).numpy()
            case _:
                _unsupported(operation)
    return value


def apply_tensorflow(graph: Iterable[GraphOperation], images: Any) -> Any:
    """Apply the graph to a batch of raw images, a uint8 tensor, with TensorFlow."""
    import tensorflow as tf

    value = images
    for operation in graph:
        match operation:
            case GraphOperation(op="cast", dtype=str(dtype)):
                value = tf.cast(value, dtype)
            case GraphOperation(op="multiply", by=float() | tuple() as factor):
                value = tf.multiply(value, tf.constant(factor, value.dtype))
            case GraphOperation(op="add", by=float() | tuple() as summand):
                value = tf.add(value, tf.constant(summand, value.dtype))
            case GraphOperation(op="expand_dims", axis=int(axis)):
                value = tf.expand_dims(value, axis)
            case GraphOperation(op="resize", size=tuple(size)):
                value = tf.image.resize(value, size)
            case GraphOperation(op="function", model=dict(model)):
                value = _load(model)(value)
            case _:
                _unsupported(operation)
    return value


def apply_keras(graph: Iterable[GraphOperation], images: Any) -> Any:
    """Apply the graph to a batch of raw images, a uint8 KerasTensor, with standard layers.

    Raises:
        ValueError: if no layer exists for an operation: `expand_dims` works on the last axis only.
    """
    from keras import layers

    value = images
    for number, operation in enumerate(graph, start=1):
        match operation:
            case GraphOperation(op="cast", dtype=str(dtype)):
                value = layers.Rescaling(1.0, dtype=dtype, name=f"cast_{number}")(value)
            case GraphOperation(op="multiply", by=float() | tuple() as factor):
                value = layers.Rescaling(factor, dtype=value.dtype, name=f"scale_{number}")(value)
            case GraphOperation(op="add", by=float() | tuple() as summand):
                value = layers.Rescaling(1.0, summand, dtype=value.dtype, name=f"add_{number}")(value)
            case GraphOperation(op="expand_dims", axis=int(axis)) if axis in (-1, len(value.shape)):
                value = layers.Reshape((*value.shape[1:], 1), dtype="float32", name=f"channel_{number}")(value)
            case GraphOperation(op="resize", size=tuple(size)):
                # By default it sets later layers, such as a dropout, to training (Keras 3.15).
                value = layers.Resizing(*size, dtype=value.dtype, name=f"resize_{number}")(value, training=False)
            case GraphOperation(op="function", model=dict(model)):
                value = _load(model, name=f"function_{number}")(value)
            case _:
                _unsupported(operation)
    return value


def _load(model: dict[str, Any], name: str = "function") -> Any:
    """Return the Keras model of a custom function."""
    from components.runtime.tensorflow import import_tensorflow

    import_tensorflow()
    import keras

    model = copy.deepcopy(model)  # Keras changes it
    model["config"]["name"] = name
    return keras.saving.deserialize_keras_object(model)


def _unsupported(operation: GraphOperation) -> NoReturn:
    raise ValueError(f"not an operation of a transform graph: {operation}")
