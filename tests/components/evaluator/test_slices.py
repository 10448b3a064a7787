"""Slices of the test split: their images and their accuracy."""

from itertools import pairwise

import numpy as np

from components.artifacts import Slice
from components.evaluator.config import FIFTHS
from components.evaluator.intervals import wilson_interval
from components.evaluator.slices import make_slices


def by_key(slices: tuple[Slice, ...]) -> dict[str, Slice]:
    return {found.key: found for found in slices}


def test_each_class_with_images_has_a_slice() -> None:
    labels, predictions = np.array([0, 0, 0, 0, 2, 2]), np.array([0, 0, 0, 1, 0, 2])
    slices = make_slices(labels, predictions, ("cat", "dog", "eel"), {})
    assert [(found.key, found.correct, found.count) for found in slices] == [("class/cat", 3, 4), ("class/eel", 1, 2)]
    assert slices[0].accuracy == 0.75
    assert slices[0].accuracy_interval == wilson_interval(3, 4)
    assert (slices[0].low, slices[0].high) == (None, None)


def test_a_property_has_slices_of_a_fifth_in_ascending_order() -> None:
    values = np.random.default_rng(0).permutation(1003).astype(np.float64)
    labels = np.zeros(1003, np.int64)
    predictions = (values >= 900).astype(np.int64)  # the highest values are wrong
    found = [part for part in make_slices(labels, predictions, ("0", "1"), {"ink": values}) if part.dimension == "ink"]
    assert [part.name for part in found] == list(FIFTHS)
    assert {part.count for part in found} <= {200, 201}
    assert sum(part.count for part in found) == 1003
    assert found[0].low == 0
    assert found[-1].high == 1002
    for part, following in pairwise(found):
        assert part.high is not None
        assert following.low == part.high + 1
    assert [part.accuracy == 1 for part in found] == [True, True, True, True, False]


def test_images_of_equal_value_are_in_one_slice() -> None:
    values = np.array([1.0] * 30 + [2.0] * 65 + [3.0] * 5)
    zeros = np.zeros(100, np.int64)
    slices = by_key(make_slices(zeros, zeros, ("0",), {"size": values}))
    assert {key: (part.low, part.high, part.count) for key, part in slices.items() if key != "class/0"} == {
        "size/least": (1.0, 1.0, 30),
        "size/high": (2.0, 2.0, 65),
        "size/most": (3.0, 3.0, 5),
    }
    assert slices["size/least"].unit == "px"


def test_a_constant_property_has_one_slice() -> None:
    zeros = np.zeros(7, np.int64)
    assert list(by_key(make_slices(zeros, zeros, ("0",), {"ink": np.zeros(7)}))) == ["class/0", "ink/middle"]


def test_a_single_image_can_be_sliced() -> None:
    zero = np.zeros(1, np.int64)
    assert list(by_key(make_slices(zero, zero, ("0",), {"ink": np.ones(1)}))) == ["class/0", "ink/middle"]
