"""Normalization: the result does not depend on a digit's position, size and colors."""

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
from tests.support.cases import parametrize_sample
from tests.support.drawing import FONTS, Drawing

PEN = Drawing(pen=0.12)


def normalized(drawing: Drawing, digit: int) -> NDArray[np.uint8]:
    return normalize(np.asarray(drawing.draw(digit)), 28, 28)


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the difference of two images, as a fraction of the ink of both: 0 if equal, 1 if no ink overlaps."""
    absolute = np.abs(one.astype(float) - other).sum()
    return float(absolute / (one.astype(float).sum() + other.astype(float).sum()))


DIGITS = st.integers(0, 9)
FEW_EXAMPLES = settings(max_examples=12, deadline=None, derandomize=True)


@FEW_EXAMPLES
@given(digit=DIGITS, right=st.floats(0.3, 0.7), down=st.floats(0.3, 0.7))
def test_does_not_depend_on_position(digit: int, right: float, down: float) -> None:
    drawing = replace(PEN, height=0.5)
    assert difference(normalized(replace(drawing, at=(right, down)), digit), normalized(drawing, digit)) < 0.06


@FEW_EXAMPLES
@given(digit=DIGITS, height=st.floats(0.3, 0.9), side=st.integers(80, 300))
def test_hardly_depends_on_size(digit: int, height: float, side: int) -> None:
    assert (
        difference(normalized(replace(PEN, height=height, canvas=(side, side)), digit), normalized(PEN, digit)) < 0.12
    )


LEVELS = st.integers(0, 255)


@FEW_EXAMPLES
@given(digit=DIGITS, ink=st.tuples(LEVELS, LEVELS, LEVELS), paper=st.tuples(LEVELS, LEVELS, LEVELS))
def test_hardly_depends_on_distinct_colors(digit: int, ink: tuple[int, int, int], paper: tuple[int, int, int]) -> None:
    if np.linalg.norm(np.subtract(ink, paper)) >= 40:
        assert difference(normalized(replace(PEN, ink=ink, paper=paper), digit), normalized(PEN, digit)) < 0.05


@FEW_EXAMPLES
@given(digit=DIGITS, slope=st.floats(-110, 110))
def test_hardly_depends_on_light_from_one_side(digit: int, slope: float) -> None:
    drawing = replace(PEN, ink=(115, 115, 115), paper=(140, 140, 140) if slope < 0 else (235, 235, 235))
    drawing = replace(drawing, ink=(20, 20, 20)) if slope < 0 else replace(drawing, ink=(120, 120, 120))
    assert difference(normalized(replace(drawing, slope=slope), digit), normalized(PEN, digit)) < 0.08


@pytest.mark.parametrize("digit", range(10))
def test_does_not_depend_on_inversion(digit: int) -> None:
    image = np.asarray(replace(PEN, noise=8, paper=(220, 220, 220), ink=(30, 30, 30)).draw(digit).convert("L"))
    assert difference(normalize(255 - image, 28, 28), normalize(image, 28, 28)) < 0.01


@parametrize_sample(3, "font", FONTS)
def test_result_is_bright_20_pixels_long_and_centered_by_mass(font: str) -> None:
    for digit in range(10):
        image = normalized(Drawing(font=font, at=(0.4, 0.55)), digit)
        assert image.max() == 255
        box = [np.ptp(np.flatnonzero((image > 100).any(axis=axis))) + 1 for axis in (0, 1)]
        assert 18 <= max(box) <= 21
        assert ndimage.center_of_mass(image) == pytest.approx((13.5, 13.5), abs=0.35)


def test_keeps_proportions() -> None:
    ink = np.zeros((100, 100), np.float32)
    ink[10:90, 38:62] = 1
    image = center(ink, 28, 28)
    assert [np.ptp(np.flatnonzero((image > 127).any(axis=axis))) + 1 for axis in (1, 0)] == [20, 6]


@pytest.mark.parametrize("size", [(14, 14), (56, 56), (56, 40)])
def test_other_sizes_are_scaled(size: tuple[int, int]) -> None:
    image = normalize(np.asarray(PEN.draw(3)), *size)
    assert image.shape == size
    tall = np.ptp(np.flatnonzero((image > 127).any(axis=1))) + 1
    assert tall == pytest.approx(20 / 28 * min(size), abs=1.5)


def test_thickens_hairlines_but_keeps_bold_strokes() -> None:
    ink = {pen: float(normalized(replace(PEN, pen=pen, canvas=(400, 400)), 1).mean()) for pen in (0.01, 0.03, 0.2)}
    assert ink[0.01] == pytest.approx(ink[0.03], rel=0.25)
    assert ink[0.2] > 1.5 * ink[0.03]


def test_dust_and_sharp_shadows_are_not_ink() -> None:
    clean = normalized(PEN, 5)
    dusty = np.asarray(PEN.draw(5)).copy()
    dusty[3:6, 5:8] = dusty[110:113, 100:103] = 0
    assert difference(normalize(dusty, 28, 28), clean) < 0.02
    assert difference(normalized(replace(PEN, shadow=90), 5), clean) < 0.12


@pytest.mark.parametrize("noise", [0, 20])
def test_empty_sheet_raises_no_ink_error(noise: float) -> None:
    sheet = np.asarray(replace(PEN, height=0.01, at=(9, 9), noise=noise, paper=(200, 200, 200), slope=60).draw(1))
    with pytest.raises(NoInkError, match="nothing contrasts with the background"):
        normalize(sheet, 28, 28)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_any_image_is_normalized_or_raises_no_ink_error(height: int, width: int, seed: int, gray: bool) -> None:
    shape = (height, width) if gray else (height, width, 3)
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    try:
        result = normalize(image, 28, 28)
    except NoInkError:
        return
    assert result.shape == (28, 28)
    assert result.dtype == np.uint8
    assert result.max() == 255


def test_detects_bright_on_dark_images() -> None:
    digit = normalized(PEN, 8)
    gray = np.full_like(digit, 100)
    images = np.stack([digit, 255 - digit, np.maximum(digit, gray), np.zeros_like(digit), np.minimum(50, 255 - digit)])
    assert is_bright_on_dark(images).tolist() == [True, False, False, True, False]


def test_ink_is_0_on_paper_and_1_within_a_stroke() -> None:
    gray = np.full((60, 60), 200, np.float32)
    gray[10:50, 27:33] = 80
    ink = find_ink(gray)
    assert ink[:, :20].max() == 0
    assert ink[30, 29] == 1
