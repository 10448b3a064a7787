"""Accuracy of the export with 8-bit integers, whose predictions are not those of the model."""

from pathlib import Path

import numpy as np

from components.artifacts import QuantizedExport, Stored, TransformedExamples
from components.base.component import Context
from components.evaluator.predictions import Predictions
from components.inference.litert import open_litert
from components.inference.predictor import BATCH_SIZE
from components.inference.split_images import read_raw


def evaluate_quantized(
    export: Path, transformed: Stored[TransformedExamples], predictions: Predictions, context: Context
) -> QuantizedExport:
    """Predict the raw test images with the export, and compare with the model's predictions.

    A request to terminate ends it between two batches.
    """
    predict, split, classes = open_litert(export), transformed.artifact.splits.test, []
    for start in range(0, split.count, BATCH_SIZE):
        context.termination.check()
        images = read_raw(transformed, split, slice(start, start + BATCH_SIZE))
        classes.append(predict(images=images)["probabilities"].argmax(axis=1))
    predicted = np.concatenate(classes)
    return QuantizedExport(
        file=export.name,
        accuracy=float((predicted == predictions.labels).mean()),
        same_class=float((predicted == predictions.classes).mean()),
    )
