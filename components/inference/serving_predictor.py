"""A Model artifact as it is served: raw images in, probabilities out, with as little as answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from components.inference.predictor import BATCH_SIZE, load_predictor
from components.inference.transform_graph import apply_numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from components.artifacts import GraphOperation, Model, Stored


class RawPredictor(Protocol):
    """Tells how probable each class is for each raw image."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return float32 [count, classes] for uint8 [count, height, width]; at least one image."""


def load_raw_predictor(model: Stored[Model], graph: Sequence[GraphOperation]) -> RawPredictor:
    """Return what answers raw images.

    A SavedModel is asked through TensorFlow alone: without Keras, that is imported in 2.0 instead of 3.6 CPU-seconds,
    and takes 490 instead of 660 MB. Any other model is asked by `load_predictor`, after the graph.

    Args:
        model: whose files were verified.
        graph: what turns raw images into those that the model was trained on; a SavedModel has its own.
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
        pieces = (images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE))
        return np.concatenate([serve(images=tf.constant(piece))["probabilities"].numpy() for piece in pieces])

    predict.loaded = loaded  # type: ignore[attr-defined]  # its variables live as long as it does
    return predict
