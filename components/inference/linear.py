"""A linear classifier as a Model artifact: one weight a pixel and class, without TensorFlow."""

from __future__ import annotations

import hashlib
import platform
from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import Epoch, Model, Stored, TrainingEnvironment, TransformedExamples
from components.inference.predictor import linear_predictor
from components.inference.probabilities import cross_entropy
from components.io.history import write_history
from components.io.splits import read_scaled
from components.runtime.libraries import library_version

if TYPE_CHECKING:
    from pathlib import Path

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
    """Write a linear model and a history of one epoch, scored on training and validation.

    Args:
        weights: [pixels, classes], for images laid out row by row.
        bias: [classes]; softmax(images @ weights + bias) are the probabilities.
        transformed: what the model was fitted to.
        output: where to write.
        seed: what decided the fit, if anything did.
    """
    stated = transformed.artifact
    np.savez(output / WEIGHTS_FILE, weights=weights, bias=bias)
    predict = linear_predictor(weights, bias)
    losses, accuracies = [], []
    for stated_split in (stated.splits.train, stated.splits.validation):
        split = read_scaled(transformed, stated_split)
        probabilities = predict(split.images)
        losses.append(cross_entropy(split.labels, probabilities))
        accuracies.append(float((probabilities.argmax(axis=1) == split.labels).mean()))
    epoch = Epoch(
        epoch=1,
        loss=losses[0],
        accuracy=accuracies[0],
        val_loss=losses[1],
        val_accuracy=accuracies[1],
        learning_rate=0,
    )
    write_history([epoch], output / HISTORY_FILE)
    return Model(
        format="linear",
        file=WEIGHTS_FILE,
        history_file=HISTORY_FILE,
        image_shape=stated.image_shape,
        class_names=stated.class_names,
        parameters=weights.size + bias.size,
        weights_sha256=hashlib.sha256(weights.tobytes() + bias.tobytes()).hexdigest(),
        history=(epoch,),
        best_epoch=1,
        stopped_early=False,
        environment=TrainingEnvironment(
            versions={"numpy": library_version("numpy")},
            python=platform.python_version(),
            device="CPU",
            threads=1,
            seed=seed,
        ),
    )
