"""Slices: the accuracy of parts of the test split, by class and by measured image properties."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Slice
from components.evaluator.config import FIFTHS
from components.evaluator.functions import SliceFunction
from components.evaluator.image_properties import UNITS
from components.evaluator.intervals import wilson_interval

MAX_NAMES = 100
"""Maximum number of slices that one function may name."""


def make_slices(
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    class_names: Sequence[str],
    properties: Mapping[str, NDArray[Any]],
) -> tuple[Slice, ...]:
    """Return one slice per class that has images, and the slices of each property of the images.

    Numbers give up to five slices of equal size. Images of equal value are in the same slice. Therefore slices may have
    unequal sizes, or be missing. Texts give one slice each. Images with an empty text, NaN or
    infinity are in none.
    """
    right = labels == predicted
    slices = [_slice("class", class_names[label], right[labels == label]) for label in np.unique(labels)]
    for dimension, values in properties.items():
        if values.dtype.kind == "U":
            slices += [_slice(dimension, str(name), right[values == name]) for name in np.unique(values) if name]
            continue
        known = np.isfinite(values)
        fifths = np.full(len(values), -1)
        fifths[known] = _fifths(values[known])
        for number, name in enumerate(FIFTHS):
            selected = fifths == number
            if selected.any():
                slices.append(_slice(dimension, name, right[selected], values[selected]))
    return tuple(slices)


def group_images(
    functions: Sequence[SliceFunction], batches: Iterable[NDArray[np.float32]], labels: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Return the results of functions for all images, texts or float64 numbers, by name."""
    groups: dict[str, list[NDArray[Any]]] = {function.key: [] for function in functions}
    first = 0
    for images in batches if functions else ():
        for function in functions:
            groups[function.key].append(_apply(function, images, labels[first : first + len(images)]))
        first += len(images)
    grouped = {name: np.concatenate(values) for name, values in groups.items()}
    for function in functions:
        values = grouped[function.key]
        if values.dtype.kind == "U" and (count := len(np.unique(values))) > MAX_NAMES:
            raise function.error(f"returned {count:,} different texts; at most {MAX_NAMES} are slices")
    return grouped


def _apply(function: SliceFunction, images: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[Any]:
    values: NDArray[Any] = function(images=images, labels=labels)
    if values.dtype.kind == "b":
        values = np.where(values, "yes", "no")
    if values.dtype.kind == "O" and all(isinstance(value, str) for value in values.flat):
        values = values.astype(str)
    if values.dtype.kind not in "iufU" or values.shape != labels.shape:
        raise function.wrong_result(values)
    return values if values.dtype.kind == "U" else values.astype(np.float64)


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
