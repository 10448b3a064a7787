"""Predictions of a model on a labelled split."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Evaluation, Stored, TransformedExamples, TransformedSplit
from components.base.component import Context
from components.inference import predictor
from components.inference.split_images import iterate_scaled, open_pictures
from components.io.image_digests import DIGEST_DTYPE, split_sha256
from components.io.splits import read_prediction_table, to_numpy


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

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the most probable class of each image is its label: bool [count]."""
        return np.asarray(self.classes == self.labels)

    @property
    def confidences(self) -> NDArray[np.float32]:
        """The probability of the predicted class of each image: float32 [count]."""
        return np.asarray(self.probabilities.max(axis=1))

    def ordered_as(self, other: Self) -> "Predictions":
        """Return these predictions in the order of others on the same images and labels."""
        rows = np.empty(len(self.labels), dtype=np.int64)
        rows[other._order()] = self._order()
        return Predictions(self.labels[rows], self.probabilities[rows], self.images[rows])

    def _order(self) -> list[int]:
        images, labels = self.images.tolist(), self.labels.tolist()
        return sorted(range(len(labels)), key=lambda row: (images[row], labels[row]))

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
    pictures = open_pictures(transformed, split)
    return Predictions(labels=pictures.labels, probabilities=np.concatenate(probabilities), images=pictures.digests())


def read_predictions(evaluation: Stored[Evaluation]) -> Predictions:
    """Return the predictions of an evaluation, in the order of its test split."""
    table = read_prediction_table(evaluation, ["label", "probabilities", "image"])
    labels, probabilities, images = (column.combine_chunks() for column in table.columns)
    return Predictions(
        labels=to_numpy(labels),
        probabilities=to_numpy(probabilities.flatten()).reshape(len(table), -1),
        images=np.array(images.to_pylist(), dtype=DIGEST_DTYPE),
    )
