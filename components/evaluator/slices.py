"""Slices: the accuracy of parts of the test split, by class and by measured image properties."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Slice
from components.evaluator.image_properties import UNITS
from components.evaluator.intervals import wilson_interval

FIFTHS = ("least", "low", "middle", "high", "most")
"""Slices of a property, each of a fifth of the images."""


def make_slices(
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    class_names: Sequence[str],
    properties: Mapping[str, NDArray[np.float64]],
) -> tuple[Slice, ...]:
    """Return one slice per class that has images, and up to five slices of equal size per property (see `measure`).

    Images of equal value are in the same slice. Therefore slices may have unequal sizes, or be missing.
    """
    right = labels == predicted
    slices = [_slice("class", class_names[label], right[labels == label]) for label in np.unique(labels)]
    for dimension, values in properties.items():
        fifths = _fifths(values)
        for number, name in enumerate(FIFTHS):
            selected = fifths == number
            if selected.any():
                slices.append(_slice(dimension, name, right[selected], values[selected]))
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
    """Return the fifth of each value: that of the middle one among all equal values."""
    _, positions, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - counts / 2
    return (middles * len(FIFTHS) // len(values)).astype(np.int64)[positions]
