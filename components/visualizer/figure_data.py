"""The data of each figure, prepared once: `plots` draws it as a PNG file, the report as SVG or HTML."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.artifacts import Evaluation, GraphOperation
from components.base.errors import ConfigError
from components.inference.split_images import SplitImages
from components.inference.transform_graph import apply_numpy
from components.visualizer.network_calls import observe_calls

MAX_MISTAKES = 24
DEFAULT_EXAMPLE_CLASSES = 10
"""Without configured examples, feature maps are shown for one image of each of the first ten classes."""


@dataclass(frozen=True)
class ConfusionMatrix:
    """Test images by true and by predicted class."""

    class_names: tuple[str, ...]
    counts: NDArray[np.int64]
    """[true class, predicted class]"""
    image_count: int

    @classmethod
    def from_evaluation(cls, evaluation: Evaluation) -> Self:
        names = tuple(row.name for row in evaluation.per_class)
        return cls(names, np.array(evaluation.confusion_matrix), evaluation.metrics.count)

    @cached_property
    def mistakes(self) -> NDArray[np.int64]:
        """The counts with a diagonal of zeros."""
        return np.where(np.eye(len(self.counts), dtype=bool), 0, self.counts)

    def most_common(self, limit: int) -> list[tuple[str, str, int]]:
        """Return true class, predicted class and number of images of the most common confusions."""
        order = np.argsort(-self.mistakes, axis=None, kind="stable")[:limit]
        pairs = zip(*np.unravel_index(order, self.mistakes.shape), strict=True)
        return [
            (self.class_names[true], self.class_names[predicted], int(self.mistakes[true, predicted]))
            for true, predicted in pairs
            if self.mistakes[true, predicted]
        ]


@dataclass(frozen=True)
class TestImage:
    """One image of the test split."""

    __test__ = False  # keeps pytest from collecting it

    row: int
    class_name: str
    image: NDArray[np.float32]
    """A picture: [height, width, channels], 0 to 1."""

    @property
    def pixels(self) -> NDArray[np.float32]:
        """The picture for matplotlib: [height, width], or [height, width, 3] in color."""
        return self.image[..., 0] if self.image.shape[-1] == 1 else self.image


def example_images(test: SplitImages, class_names: tuple[str, ...], rows: tuple[int, ...]) -> tuple[TestImage, ...]:
    """Return the images in some rows; without rows, the first image of each of the first classes.

    Raises:
        ConfigError: if a row is not in the test split.
    """
    if not rows:
        _, first_of_each_class = np.unique(test.labels, return_index=True)
        rows = tuple(int(row) for row in first_of_each_class[:DEFAULT_EXAMPLE_CLASSES])
    for row in rows:
        if row >= len(test):
            raise ConfigError(
                f"visualizer.examples has {row}, but the test split has {len(test)} images",
                expected=f"rows from 0 to {len(test) - 1}",
                remedy="choose other rows",
            )
    return tuple(TestImage(row, class_names[test.labels[row]], test[row]) for row in rows)


@dataclass(frozen=True)
class Mistake(TestImage):
    """A misclassified test image."""

    predicted: str
    confidence: float


@dataclass(frozen=True)
class ConfidentMistakes:
    """The most confident mistakes on the test split."""

    shown: tuple[Mistake, ...]
    """The most confident first, at most `MAX_MISTAKES`."""
    total: int
    """Misclassified test images."""
    image_count: int

    @classmethod
    def from_predictions(cls, test: SplitImages, predictions: pd.DataFrame, class_names: tuple[str, ...]) -> Self:
        """Select the mistakes from `label`, `prediction` and `confidence` of each test image."""
        wrong = predictions[predictions["label"] != predictions["prediction"]]
        shown = wrong.sort_values("confidence", ascending=False, kind="stable").head(MAX_MISTAKES)
        mistakes = (
            Mistake(
                row=int(row.Index),
                class_name=class_names[row.label],
                image=test[row.Index],
                predicted=class_names[row.prediction],
                confidence=float(row.confidence),
            )
            for row in shown.itertuples()
        )
        return cls(tuple(mistakes), len(wrong), len(predictions))


@dataclass(frozen=True)
class FeatureMaps:
    """The output of every convolution for some test images."""

    images: tuple[TestImage, ...]
    convolutions: tuple[NDArray[np.float32], ...]
    """[images, height, width, filters] for each convolution, in the order of computation."""
    names: tuple[str, ...] = ()
    """The layer of each convolution."""

    @classmethod
    def compute(
        cls, network: Any, images: tuple[TestImage, ...], graph: tuple[GraphOperation, ...] = ()
    ) -> Self | None:
        """Return the feature maps of a Keras network, also of nested networks; None if it has no convolution.

        The graph converts pictures to the network's input.
        """
        import tensorflow as tf
        from keras import layers

        kinds = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Conv2DTranspose)
        maps: list[NDArray[np.float32]] = []
        names: list[str] = []

        def observe(layer: Any, _: list[Any], output: Any) -> None:
            if isinstance(layer, kinds):
                maps.append(output.numpy().astype(np.float32))
                names.append(layer.name)

        inputs = apply_numpy(graph, np.stack([each.image for each in images]))
        observe_calls(network, tf.constant(inputs), observe)
        return cls(images, tuple(maps), tuple(names)) if maps else None
