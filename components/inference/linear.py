"""Linear classifiers as Model artifacts: one weight per pixel and class, without TensorFlow."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from components.artifacts import Epoch, Model, Stored, TrainingEnvironment, TransformedExamples
from components.inference.predictor import BATCH_SIZE, linear_predictor
from components.runtime.libraries import library_version

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS_FILE = "weights.npz"
HISTORY_FILE = "history.csv"


def write_linear_model(
    weights: NDArray[np.float32],
    bias: NDArray[np.float32],
    *,
    transformed: Stored[TransformedExamples],
    output: Path,
    seed: int = 0,
) -> Model:
    """Write a linear model, and a history of one epoch with its metrics on training and validation.

    Args:
        weights: [pixels, classes], with pixels in row-major order.
        bias: [classes]; softmax(images @ weights + bias) are the probabilities.
        transformed: the training data.
    """
    import numpy as np

    from components.inference.probabilities import cross_entropy
    from components.inference.split_images import open_scaled
    from components.io.history import write_history

    np.savez(output / WEIGHTS_FILE, weights=weights, bias=bias)
    predict = linear_predictor(weights, bias)
    metrics: dict[str, float] = {}
    for prefix, split in (("", transformed.artifact.splits.train), ("val_", transformed.artifact.splits.validation)):
        images = open_scaled(transformed, split)
        probabilities = np.concatenate([predict(batch) for batch in images.batches(BATCH_SIZE)])
        metrics[f"{prefix}loss"] = cross_entropy(images.labels, probabilities)
        metrics[f"{prefix}accuracy"] = float((probabilities.argmax(axis=1) == images.labels).mean())
    epoch = Epoch(epoch=1, learning_rate=0, **metrics)
    versions = {"numpy": library_version("numpy")}
    write_history([epoch], output / HISTORY_FILE)
    return Model(
        format="linear",
        file=WEIGHTS_FILE,
        history_file=HISTORY_FILE,
        image_shape=transformed.artifact.picture_shape,
        class_names=transformed.artifact.class_names,
        parameters=weights.size + bias.size,
        weights_sha256=hashlib.sha256(weights.tobytes() + bias.tobytes()).hexdigest(),
        history=(epoch,),
        best_epoch=1,
        stopped_early=False,
        environment=TrainingEnvironment(
            versions=versions, python=platform.python_version(), device="CPU", threads=1, seed=seed
        ),
    )
