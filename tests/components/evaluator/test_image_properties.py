"""Image properties of strokes and boxes with a known size."""

import numpy as np
import pytest
from numpy.typing import NDArray

from components.evaluator.image_properties import UNITS, measure, measure_batches

SIDE = 64


def stroke(thickness: float, *, degrees: float = 0, length: float = 30) -> NDArray[np.float32]:
    """Return an image of one straight stroke with round ends, its edge smoothed over a pixel."""
    down, right = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    along = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    place = np.clip(down * along[0] + right * along[1], -length / 2, length / 2)
    return inked(np.hypot(down - place * along[0], right - place * along[1]), thickness)


def ring(thickness: float, *, radius: float = 16) -> NDArray[np.float32]:
    """Return an image of a circle drawn with a pen of that thickness."""
    down, right = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return inked(np.abs(np.hypot(down, right) - radius), thickness)


def inked(distance: NDArray[np.float64], thickness: float) -> NDArray[np.float32]:
    return np.clip((thickness + 1) / 2 - distance, 0, 1).astype(np.float32)[None, :, :, None]


@pytest.mark.parametrize("degrees", [0, 20, 45, 90, 155])
@pytest.mark.parametrize("thickness", [2, 3, 4, 6])
def test_measures_thickness_of_strokes_to_a_quarter_pixel(thickness: float, degrees: float) -> None:
    (measured,) = measure(stroke(thickness, degrees=degrees))["thickness"]
    assert measured == pytest.approx(thickness, abs=0.25)


@pytest.mark.parametrize("thickness", [2, 4, 6])
def test_measures_thickness_of_closed_strokes_to_a_tenth(thickness: float) -> None:
    (measured,) = measure(ring(thickness))["thickness"]
    assert thickness * 0.95 < measured < thickness * 1.1


def test_thickness_does_not_depend_on_length_or_shade() -> None:
    (short,), (long,), (pale,) = (
        measure(image)["thickness"] for image in (stroke(4, length=15), stroke(4, length=50), stroke(4) * 0.3)
    )
    assert short == pytest.approx(4, rel=0.06)
    assert long == pytest.approx(4, rel=0.06)
    assert pale == pytest.approx(4, rel=0.06)


def test_ink_is_the_mean_brightness_and_size_that_of_the_box() -> None:
    image = np.zeros((1, 20, 30, 1), np.float32)
    image[0, 2:6, 5:21] = 0.5  # 4 by 16 pixels
    measured = measure(image)
    assert measured["ink"] == pytest.approx(0.5 * 4 * 16 / (20 * 30))
    assert measured["size"] == pytest.approx(8)


def test_properties_in_color_are_those_of_the_luminance() -> None:
    green = stroke(4) * np.array([0, 1, 0], np.float32)
    measured, expected = measure(green), measure(stroke(4) * np.float32(0.587))
    for name in UNITS:
        assert measured[name] == pytest.approx(expected[name], rel=1e-5)


def test_faint_noise_does_not_enlarge_the_box() -> None:
    random = np.random.default_rng(0)
    noisy = np.maximum(stroke(4), random.uniform(0, 0.3, (1, SIDE, SIDE, 1))).astype(np.float32)
    assert measure(noisy)["size"] == measure(stroke(4))["size"]


def test_all_properties_of_an_image_without_ink_are_zero() -> None:
    images = np.concatenate([np.zeros_like(stroke(4)), stroke(4), np.ones_like(stroke(4))])
    measured = measure(images)
    assert [values[0] for values in measured.values()] == [0, 0, 0]
    assert all(np.isfinite(values).all() and (values[1:] > 0).all() for values in measured.values())


def test_properties_do_not_depend_on_batches() -> None:
    images = np.concatenate([stroke(thickness, degrees=7 * thickness) for thickness in range(1, 12)])
    whole, pieces = measure(images), measure_batches([images[:4], images[4:5], images[5:]])
    assert list(whole) == list(pieces) == list(UNITS)
    for name, values in whole.items():
        assert values.dtype == np.float64
        assert np.array_equal(values, pieces[name])
