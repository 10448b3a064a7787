"""Predictors: a Model artifact loaded as a function from images, scaled or raw, to probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from components.artifacts import GraphOperation, Model, Stored
from components.base.errors import DataError, JobError, one_line
from components.inference.averaging import average_over_shifts, windows
from components.inference.transform_graph import apply_numpy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NETWORK_LAYER = "digit_cnn"
"""Name of the network for scaled images where it is a layer of a model for raw images."""
AVERAGED_LAYER = "averaged"
"""Name of the layer around it that averages over shifts (see `average_over_shifts`)."""
BATCH_SIZE = 1000
"""Images per forward pass; limits the memory of the activations. Shifted copies of an image count as images."""


class Predictor(Protocol):
    """Function from scaled images, [count, height, width, channels], to class probabilities, [count, classes]."""

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]: ...


class RawPredictor(Protocol):
    """Function from at least one raw image, [count, height, width(, 3)], to class probabilities, [count, classes]."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]: ...


def load_predictor(model: Stored[Model]) -> Predictor:
    """Return the predictor of a model; only a `keras` model needs TensorFlow."""
    if model.artifact.format == "keras":
        return _keras_predictor(model)
    import numpy as np

    path = model.directory / model.artifact.file
    with _loading(model), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return linear_predictor(arrays["weights"], arrays["bias"])


def load_raw_predictor(
    model: Stored[Model], graph: Sequence[GraphOperation], *, temperature: float | None = None
) -> RawPredictor:
    """Return the predictor of a model, whose files must be verified, for raw images, with a temperature if given.

    TensorFlow loads a SavedModel without Keras: that import takes 2.0 instead of 3.6 CPU-seconds, and 490 instead of
    660 MB. A SavedModel contains its own transform graph; other models use `load_predictor` after `graph`.
    """
    if temperature is not None:
        from components.inference.probabilities import apply_temperature

        unscaled = load_raw_predictor(model, graph)
        return lambda images: apply_temperature(unscaled(images), temperature)
    if model.artifact.saved_model is not None:
        return _saved_model_predictor(model, model.artifact.saved_model)
    predict = load_predictor(model)
    return lambda images: predict(apply_numpy(graph, images))


def import_libraries(model: Stored[Model]) -> None:
    """Import the libraries that a model needs, for callers that time imports separately."""
    if model.artifact.format == "keras":
        from components.runtime.tensorflow import import_tensorflow

        import_tensorflow()
        import keras  # noqa: F401


def load_network(model: Stored[Model]) -> Any:
    """Return the Keras network for scaled images of a `keras` model; raise DataError if the file has none.

    Safe mode runs no code from the file.
    """
    import_libraries(model)
    import keras

    with _loading(model):
        loaded = keras.models.load_model(model.directory / model.artifact.file, compile=False, safe_mode=True)
        if loaded.inputs[0].dtype == "uint8":  # a model for raw images, as the Trainer writes it
            averaged = loaded.layers[-1]
            loaded = (averaged if averaged.name == AVERAGED_LAYER else loaded).get_layer(NETWORK_LAYER)
        if isinstance(loaded, keras.Sequential):
            return loaded
        # The file states inputs and outputs as lists, which Keras would expect in each call.
        return keras.Model(loaded.inputs[0], loaded.outputs[0], name=loaded.name)


def linear_predictor(weights: NDArray[np.float32], bias: NDArray[np.float32]) -> Predictor:
    """Return softmax(images @ weights + bias) as a predictor, from weights [pixels, classes] and bias [classes]."""
    import numpy as np

    def predict(images: NDArray[np.float32]) -> NDArray[np.float32]:
        logits = images.reshape(len(images), -1) @ weights + bias
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float32] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probabilities

    return predict


def _keras_predictor(model: Stored[Model]) -> Predictor:
    import numpy as np

    network = load_network(model)
    import tensorflow as tf

    from components.runtime.tensorflow import compute_exactly

    compute_exactly(tf)

    # One trace serves all batches; Keras's predict() would add an input pipeline.
    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def forward(batch: Any) -> Any:
        return average_over_shifts(partial(network, training=False), batch, shift=model.artifact.test_time_shift)

    def predict(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([forward(tf.constant(batch)).numpy() for batch in _batches(images, model)])

    return predict


def _saved_model_predictor(model: Stored[Model], directory: str) -> RawPredictor:
    import numpy as np

    from components.runtime.tensorflow import compute_exactly, import_tensorflow, without_keras, without_wildcards

    with without_keras():
        tf = import_tensorflow()
        compute_exactly(tf)
        with _loading(model), without_wildcards(model.directory / directory) as plain:
            loaded = tf.saved_model.load(str(plain))
            serve = loaded.signatures["serving_default"]

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        predictions = (serve(images=tf.constant(batch)) for batch in _batches(images, model))
        return np.concatenate([each["probabilities"].numpy() for each in predictions])

    predict.loaded = loaded  # type: ignore[attr-defined]  # keeps the variables of the model alive
    return predict


def _batches(images: NDArray[Any], model: Stored[Model]) -> Iterator[NDArray[Any]]:
    """Return the images in batches, one for each forward pass."""
    rows = max(1, BATCH_SIZE // len(windows(model.artifact.test_time_shift)))
    return (images[start : start + rows] for start in range(0, len(images), rows))


@contextmanager
def _loading(model: Stored[Model]) -> Iterator[None]:
    """Raise DataError in place of what libraries raise for files that are no model, or that would run code."""
    try:
        yield
    except Exception as error:
        is_machine_failure = getattr(error, "errno", None) or type(error).__name__ == "ResourceExhaustedError"
        if is_machine_failure or isinstance(error, JobError | MemoryError):
            raise
        raise DataError(
            f"the model in {model.directory} cannot be loaded: {one_line(error)}",
            expected="a model as the Trainer writes it",
            remedy="name another model, or train it again",
        ) from error
