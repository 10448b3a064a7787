"""Pictures inside the page: ink that the dark theme inverts, and colors that stay."""

import base64
import io
import re

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from components.html.inline_images import MAX_SIDE_PIXELS, image_attributes


def displayed(picture: NDArray[np.float32]) -> tuple[str, Image.Image]:
    """Return the class and the image of a picture."""
    found = re.fullmatch(r'class="(\w+)" src="data:image/png;base64,(.*)"', image_attributes(picture))
    assert found is not None
    return found[1], Image.open(io.BytesIO(base64.b64decode(found[2])))


def test_a_picture_in_color_has_its_colors() -> None:
    picture = np.random.default_rng(0).random((7, 5, 3), np.float32)
    kind, image = displayed(picture)
    assert (kind, image.mode) == ("color", "RGB")
    assert np.array_equal(np.asarray(image), np.rint(picture * 255).astype(np.uint8))


def test_a_grayscale_picture_is_ink_on_the_page() -> None:
    picture = np.array([[[0], [0.2], [1]]], np.float32)
    kind, image = displayed(picture)
    assert kind == "ink"
    assert np.asarray(image.convert("RGBA")).tolist() == [[[0, 0, 0, 0], [0, 0, 0, 51], [0, 0, 0, 255]]]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_large_picture_has_fewer_pixels(channels: int) -> None:
    _, image = displayed(np.zeros((2 * MAX_SIDE_PIXELS + 1, 200, channels), np.float32))
    assert image.size == (67, 65)
