"""Normalization: a digit comes out the same wherever, however large and in whichever colours it was drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from components.inference.preprocessing.binarize import NoInkError, find_ink
from components.inference.preprocessing.center import center
from components.inference.preprocessing.normalize import is_bright_on_dark, normalize
from tests.support.drawing import FONTS, Drawing

PEN = Drawing(pen=0.12)


def seen(drawing: Drawing, digit: int) -> NDArray[np.uint8]:
    return normalize(np.asarray(drawing.draw(digit)), 28, 28)


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return how far two images are apart, as a share of the ink of both: 0 for the same, 1 where no ink is shared."""
    apart = np.abs(one.astype(float) - other).sum()
    return float(apart / (one.astype(float).sum() + other.astype(float).sum()))


DIGITS = st.integers(0, 9)
few = settings(max_examples=25, deadline=None, derandomize=True)


@few
@given(digit=DIGITS, right=st.floats(0.3, 0.7), down=st.floats(0.3, 0.7))
def test_where_a_digit_stands_makes_no_difference(digit: int, right: float, down: float) -> None:
    drawing = replace(PEN, height=0.5)
    assert difference(seen(replace(drawing, at=(right, down)), digit), seen(drawing, digit)) < 0.06


@few
@given(digit=DIGITS, height=st.floats(0.3, 0.9), side=st.integers(80, 300))
def test_how_large_a_digit_is_makes_little_difference(digit: int, height: float, side: int) -> None:
    assert difference(seen(replace(PEN, height=height, canvas=(side, side)), digit), seen(PEN, digit)) < 0.12


LEVELS = st.integers(0, 255)


@few
@given(digit=DIGITS, ink=st.tuples(LEVELS, LEVELS, LEVELS), paper=st.tuples(LEVELS, LEVELS, LEVELS))
def test_colours_make_little_difference_as_long_as_they_are_told_apart(
    digit: int, ink: tuple[int, int, int], paper: tuple[int, int, int]
) -> None:
    if np.linalg.norm(np.subtract(ink, paper)) >= 40:
        assert difference(seen(replace(PEN, ink=ink, paper=paper), digit), seen(PEN, digit)) < 0.05


@few
@given(digit=DIGITS, slope=st.floats(-110, 110))
def test_light_that_falls_from_one_side_makes_little_difference(digit: int, slope: float) -> None:
    drawing = replace(PEN, ink=(115, 115, 115), paper=(140, 140, 140) if slope < 0 else (235, 235, 235))
    drawing = replace(drawing, ink=(20, 20, 20)) if slope < 0 else replace(drawing, ink=(120, 120, 120))
    assert difference(seen(replace(drawing, slope=slope), digit), seen(PEN, digit)) < 0.08


@pytest.mark.parametrize("digit", range(10))
def test_the_inverted_image_is_seen_as_the_same(digit: int) -> None:
    image = np.asarray(replace(PEN, noise=8, paper=(220, 220, 220), ink=(30, 30, 30)).draw(digit).convert("L"))
    assert difference(normalize(255 - image, 28, 28), normalize(image, 28, 28)) < 0.01


@pytest.mark.parametrize("font", FONTS)
def test_a_digit_is_bright_on_black_20_pixels_in_its_longer_direction_and_centred_by_mass(font: str) -> None:
    for digit in range(10):
        image = seen(Drawing(font=font, at=(0.4, 0.55)), digit)
        assert image.max() == 255
        box = [np.ptp(np.flatnonzero((image > 100).any(axis=axis))) + 1 for axis in (0, 1)]
        assert 18 <= max(box) <= 21
        assert ndimage.center_of_mass(image) == pytest.approx((13.5, 13.5), abs=0.35)


def test_proportions_are_kept() -> None:
    ink = np.zeros((100, 100), np.float32)
    ink[10:90, 38:62] = 1
    image = center(ink, 28, 28)
    assert [np.ptp(np.flatnonzero((image > 127).any(axis=axis))) + 1 for axis in (1, 0)] == [20, 6]


@pytest.mark.parametrize("size", [(14, 14), (56, 56), (56, 40)])
def test_other_sizes_are_in_proportion(size: tuple[int, int]) -> None:
    image = normalize(np.asarray(PEN.draw(3)), *size)
    assert image.shape == size
    tall = np.ptp(np.flatnonzero((image > 127).any(axis=1))) + 1
    assert tall == pytest.approx(20 / 28 * min(size), abs=1.5)


def test_a_hairline_does_not_fade_and_a_bold_stroke_stays_bold() -> None:
    ink = {pen: float(seen(replace(PEN, pen=pen, canvas=(400, 400)), 1).mean()) for pen in (0.01, 0.03, 0.2)}
    assert ink[0.01] == pytest.approx(ink[0.03], rel=0.25)
    assert ink[0.2] > 1.5 * ink[0.03]


def test_dust_and_a_sharp_shadow_are_no_ink() -> None:
    clean = seen(PEN, 5)
    dusty = np.asarray(PEN.draw(5)).copy()
    dusty[3:6, 5:8] = dusty[110:113, 100:103] = 0
    assert difference(normalize(dusty, 28, 28), clean) < 0.02
    assert difference(seen(replace(PEN, shadow=90), 5), clean) < 0.12


@pytest.mark.parametrize("noise", [0, 20])
def test_an_empty_sheet_is_refused(noise: float) -> None:
    sheet = np.asarray(replace(PEN, height=0.01, at=(9, 9), noise=noise, paper=(200, 200, 200), slope=60).draw(1))
    with pytest.raises(NoInkError, match="nothing contrasts with the background"):
        normalize(sheet, 28, 28)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_any_image_is_seen_or_refused(height: int, width: int, seed: int, grey: bool) -> None:
    shape = (height, width) if grey else (height, width, 3)
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    try:
        result = normalize(image, 28, 28)
    except NoInkError:
        return
    assert result.shape == (28, 28)
    assert result.dtype == np.uint8
    assert result.max() == 255


def test_what_is_bright_on_dark_is_bright_on_dark_and_nothing_else() -> None:
    digit = seen(PEN, 8)
    grey = np.full_like(digit, 100)
    images = np.stack([digit, 255 - digit, np.maximum(digit, grey), np.zeros_like(digit), np.minimum(50, 255 - digit)])
    assert is_bright_on_dark(images).tolist() == [True, False, False, True, False]


def test_ink_is_0_for_paper_and_1_for_the_middle_of_a_stroke() -> None:
    grey = np.full((60, 60), 200, np.float32)
    grey[10:50, 27:33] = 80
    ink = find_ink(grey)
    assert ink[:, :20].max() == 0
    assert ink[30, 29] == 1
