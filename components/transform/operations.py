"""Operations on pictures that give the network's input: standardize, resize, and custom functions."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from components.artifacts import GraphOperation, ImageShape
from components.base.component import ComponentConfig
from components.base.errors import ConfigError
from components.base.extension import Extension, use_selects
from components.inference.transform_graph import apply_numpy, picture_graph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_REDUCTION = 2
"""Bilinear interpolation has two neighbors along an axis: above this ratio, pixels would have no influence."""
CHECK_IMAGES = 10
TOLERANCE = 1e-5
"""The largest accepted difference of a value between NumPy and Keras, which may add in another order."""
Side = Annotated[int, Field(strict=True, ge=1, le=4096)]


class Standardize(ComponentConfig):
    """Subtract the mean of the training split and divide by its standard deviation, per channel."""

    kind: Literal["standardize"]
    """Selects this operation."""

    def fit(self, batches: Iterable[NDArray[np.float32]]) -> tuple[GraphOperation, ...]:
        """Return the operations for training images in batches, float32 [batch, height, width, channels]."""
        import numpy as np

        count, sums, squares = 0, [], []
        for images in batches:
            count += math.prod(images.shape[:3])
            sums.append(images.sum(axis=(1, 2), dtype=np.float64))
            squares.append(np.square(images, dtype=np.float64).sum(axis=(1, 2)))
        # Exact sums over the images, so that the result does not depend on the size of batches.
        means, mean_squares = (
            np.array([math.fsum(channel) / count for channel in np.concatenate(values).T]) for values in (sums, squares)
        )
        deviations = np.sqrt(np.maximum(mean_squares - means**2, 0))
        deviations[deviations == 0] = 1  # a channel of one value
        return (
            GraphOperation(op="add", by=tuple((-means).tolist())),
            GraphOperation(op="multiply", by=tuple((1 / deviations).tolist())),
        )


class Resize(ComponentConfig):
    """Resize with bilinear interpolation, to any larger size or down to half of the size."""

    kind: Literal["resize"]
    """Selects this operation."""
    size: tuple[Side, Side]
    """Height and width in pixels."""

    def fit(self, batches: Iterable[NDArray[np.float32]]) -> tuple[GraphOperation, ...]:
        """Return the operation.

        Raises:
            ConfigError: if the images are more than twice as large.
        """
        height, width = next(iter(batches)).shape[1:3]
        if height > MAX_REDUCTION * self.size[0] or width > MAX_REDUCTION * self.size[1]:
            raise ConfigError(
                f"transform.operations resizes images of {height}x{width} pixels to {self.size[0]}x{self.size[1]}",
                expected=f"at least {-(-height // MAX_REDUCTION)}x{-(-width // MAX_REDUCTION)}, half of the size",
                remedy="set example_gen.source.size, or resize in two operations",
            )
        return (GraphOperation(op="resize", size=self.size),)


class TransformFunction(Extension):
    """A custom function of pictures, for NumPy and Keras: `ops` is `numpy` or `keras.ops`, which share most names."""

    arguments: ClassVar[tuple[str, ...]] = ("pictures", "ops")
    returns: ClassVar[str] = "pictures"

    kind: Literal["function"] = "function"
    """Selects this operation."""

    def fit(self, batches: Iterable[NDArray[np.float32]]) -> tuple[GraphOperation, ...]:
        """Return the operation: the function as a Keras model.

        Raises:
            ConfigError: if the function fails, or returns other images with Keras than with NumPy.
        """
        import numpy as np

        from components.runtime.tensorflow import import_tensorflow

        images = next(iter(batches))
        expected = self.apply(images)[:CHECK_IMAGES]
        tf = import_tensorflow()
        import keras

        with tf.device("CPU"):
            inputs = keras.Input(images.shape[1:], dtype="float32", name="pictures")
            outputs = self(pictures=inputs, ops=keras.ops)
            if not isinstance(outputs, keras.KerasTensor) or outputs.shape != (None, *expected.shape[1:]):
                raise self.error(
                    f"returned {outputs!r} with keras.ops, and {expected.shape[1:]} per picture with NumPy"
                )
            model = keras.Model(inputs, outputs, name="function")
            if not_exported := [part for part in model.operations if not _is_exported(part)]:
                names = ", ".join(sorted({type(part).__name__ for part in not_exported}))
                raise self.error(f"uses {names}, but exports contain only operations of Keras without weights")
            difference = float(np.abs(model(images[:CHECK_IMAGES]).numpy() - expected).max())
        if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):  # so that NaN fails
            raise self.error(
                f"returns other images with keras.ops for {len(expected)} pictures than with NumPy for {len(images)}: "
                f"values differ by up to {difference:.2g}"
            )
        return (GraphOperation(op="function", name=self.use, model=_with_fixed_names(model)),)

    def apply(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the function's result with NumPy: float32 [batch, height, width, channels]."""
        import numpy as np

        result = self(pictures=images, ops=np)
        if not isinstance(result, np.ndarray) or result.ndim != 4 or len(result) != len(images):
            shape = getattr(result, "shape", type(result).__name__)
            raise self.error(f"returned {shape} for pictures of the shape {images.shape}")
        return result.astype(np.float32, copy=False)


Operation = Annotated[Standardize | Resize | TransformFunction, Field(discriminator="kind"), use_selects("function")]


@dataclass(frozen=True)
class InputConversion:
    """Conversion of raw images to the network's input with NumPy, and the graph that describes it."""

    shape: ImageShape
    """Shape of a network input."""
    graph: tuple[GraphOperation, ...]
    functions: tuple[Callable[[NDArray[np.float32]], NDArray[np.float32]], ...] = ()
    """Applied after the part of the graph that makes pictures."""

    def __call__(self, raw: NDArray[np.uint8]) -> NDArray[np.float32]:
        images = apply_numpy(picture_graph(self.graph), raw)
        for function in self.functions:
            images = function(images)
        return images

    def then(self, operation: Operation, batches: Callable[[], Iterator[NDArray[np.uint8]]]) -> InputConversion:
        """Return the conversion followed by an operation; `batches` returns the raw training images in batches."""
        fitted = operation.fit(map(self, batches()))
        function = operation.apply if isinstance(operation, TransformFunction) else partial(apply_numpy, fitted)
        height, width, channels = function(self(next(batches())[:1])).shape[1:]
        return InputConversion((height, width, channels), (*self.graph, *fitted), (*self.functions, function))


def _is_exported(operation: Any) -> bool:
    """Return whether a Keras operation needs neither weights nor code of the user."""
    is_keras = type(operation).__module__.startswith("keras.") and type(operation).__name__ != "Lambda"
    return is_keras and not getattr(operation, "weights", ())


def _with_fixed_names(model: Any) -> dict[str, Any]:
    """Return the configuration of a Keras model in which the names of operations do not depend on earlier models."""
    import keras

    serialized = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    names = {
        layer["name"]: f"{layer['class_name'].lower()}_{n}" for n, layer in enumerate(serialized["config"]["layers"])
    }

    def rename(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: rename(item, name) for name, item in value.items()}
        if isinstance(value, list):
            is_reference = key in ("keras_history", "input_layers", "output_layers") and value[0] in names
            return [names[value[0]], *value[1:]] if is_reference else [rename(item, key) for item in value]
        return names.get(value, value) if key == "name" else value

    renamed: dict[str, Any] = rename(serialized)
    return renamed
