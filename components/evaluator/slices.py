"""How well the model does on parts of the test split: class by class, and by what was measured of the images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import Slice
from components.evaluator.image_properties import UNITS
from components.evaluator.intervals import wilson_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

PARTS = ("least", "low", "middle", "high", "most")
"""Of a property, each of a fifth of the images."""


def make_slices(
    labels: NDArray[np.int64],
    predictions: NDArray[np.int64],
    class_names: Sequence[str],
    properties: Mapping[str, NDArray[np.float64]],
) -> tuple[Slice, ...]:
    """Return a slice a class that has images, and up to five of about as many images a property.

    Images of the same value stay together, so where many have one, parts are uneven, or missing.

    Args:
        labels: int64 [count].
        predictions: int64 [count].
        class_names: one a class, by label.
        properties: float64 [count] by name, such as `components.evaluator.image_properties.measure` gives.
    """
    right = labels == predictions
    slices = [
        _slice("class", name, right[labels == label])
        for label, name in enumerate(class_names)
        if (labels == label).any()
    ]
    for dimension, values in properties.items():
        parts = _fifths(values)
        for number, name in enumerate(PARTS):
            chosen = parts == number
            if chosen.any():
                slices.append(_slice(dimension, name, right[chosen], values[chosen]))
    return tuple(slices)


def _slice(dimension: str, name: str, right: NDArray[np.bool_], values: NDArray[np.float64] | None = None) -> Slice:
    count, correct = len(right), int(right.sum())
    return Slice(
        dimension=dimension,
        name=name,
        low=None if values is None else float(values.min()),
        high=None if values is None else float(values.max()),
        unit=UNITS.get(dimension, ""),
        count=count,
        correct=correct,
        accuracy=correct / count,
        accuracy_interval=wilson_interval(correct, count),
    )


def _fifths(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the number of each value's part: the one that the middle of all equal values falls into."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - counts / 2
    numbers: NDArray[np.int64] = (middles * len(PARTS) // len(values)).astype(np.int64)
    return numbers[places]
