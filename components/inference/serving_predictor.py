"""Serving predictors: a Model artifact loaded as a function from raw images to probabilities, as a server loads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from components.artifacts import GraphOperation, Model, Stored
from components.inference.predictor import BATCH_SIZE, load_predictor
from components.inference.transform_graph import apply_numpy

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class RawPredictor(Protocol):
    """Function that returns the probability of each class for each raw image."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 [count, classes] for uint8 [count, height, width]; at least one image."""


def load_raw_predictor(model: Stored[Model], graph: Sequence[GraphOperation]) -> RawPredictor:
    """Return the predictor of a model for raw images.

    TensorFlow loads a SavedModel without Keras: that import takes 2.0 instead of 3.6 CPU-seconds, and 490 instead of
    660 MB. Other models use `load_predictor` after the graph.

    Args:
        model: its files must be verified.
        graph: the transform graph of the training data; a SavedModel contains its own.
    """
    if model.artifact.saved_model is not None:
        return _saved_model_predictor(model, model.artifact.saved_model)
    predict = load_predictor(model)
    return lambda images: predict(apply_numpy(graph, images))


def _saved_model_predictor(model: Stored[Model], directory: str) -> RawPredictor:
    import numpy as np

    from components.runtime.tensorflow import compute_exactly, import_tensorflow, without_keras

    with without_keras():
        tf = import_tensorflow()
        compute_exactly(tf)
        loaded = tf.saved_model.load(str(model.directory / directory))
    serve = loaded.signatures["serving_default"]

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        batches = (images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE))
        return np.concatenate([serve(images=tf.constant(batch))["probabilities"].numpy() for batch in batches])

    predict.loaded = loaded  # type: ignore[attr-defined]  # keeps the variables of the model alive
    return predict
