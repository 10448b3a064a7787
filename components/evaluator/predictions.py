"""Predictions of a model on a labelled split."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Stored, TransformedExamples, TransformedSplit
from components.base.component import Context
from components.inference import predictor
from components.inference.pictures import read_pictures
from components.io.image_digests import split_sha256
from components.io.splits import iterate_scaled


@dataclass(frozen=True)
class Predictions:
    """Labels and predicted probabilities of each image, in the order of the split."""

    labels: NDArray[np.int64]
    """[count]"""
    probabilities: NDArray[np.float32]
    """[count, classes]"""
    images: NDArray[np.void]
    """The digest of each picture: V16 [count]."""

    @property
    def classes(self) -> NDArray[np.int64]:
        """The most probable class of each image: int64 [count]."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @cached_property
    def split_sha256(self) -> str:
        """The SHA-256 over the images and labels; it does not depend on their order."""
        return split_sha256(self.images, self.labels)


def predict_split(
    predict: predictor.Predictor, transformed: Stored[TransformedExamples], split: TransformedSplit, context: Context
) -> Predictions:
    """Return the predictions on a split. Only one batch of images is in memory at a time."""
    probabilities = []
    for images in iterate_scaled(transformed, split, rows=predictor.BATCH_SIZE):
        context.termination.check()
        probabilities.append(predict(images))
    pictures = read_pictures(transformed, split)
    return Predictions(labels=pictures.labels, probabilities=np.concatenate(probabilities), images=pictures.digests())
