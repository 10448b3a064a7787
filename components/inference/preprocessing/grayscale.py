"""From colour to grey, so that ink stands out from paper whatever their colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from components.io.pictures import to_grey_and_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, as Pillow and television weigh red, green and blue."""
EDGE = 0.04
"""Width of what counts as the edge of an image, as a share of its shorter side."""


def edge(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which pixels are at the edge of an image: bool [height, width]."""
    height, width = image.shape[:2]
    deep = max(1, round(EDGE * min(height, width)))
    mask = np.ones((height, width), dtype=bool)
    mask[deep : height - deep, deep : width - deep] = False
    return mask


def to_grey(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return an image in the one shade of grey in which it has most contrast: float32 [height, width].

    Of colours that is their first principal component (K. Pearson, 1901), taken from the paper's colour, which is the
    median of the edge: red ink on green paper of the same brightness stays visible. Which of the two comes out
    brighter is left open. Grey images are returned as they are.

    Args:
        image: [height, width], or [height, width, 3] of red, green and blue.
    """
    if image.ndim == 2:
        return image.astype(np.float32)
    colours = image.astype(np.float32)
    paper = np.median(colours[edge(colours)], axis=0)
    apart = (colours - paper).reshape(-1, 3)
    _, directions = np.linalg.eigh(apart.T @ apart)
    direction = directions[:, -1]
    if not np.any(apart):
        direction = np.array(LUMA)
    # A difference of grey levels is as large as in an image that has one channel.
    direction = direction / np.sqrt(3)
    grey: NDArray[np.float32] = (apart @ direction.astype(np.float32)).reshape(image.shape[:2])
    return grey


def resized(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return an image made grey (ITU-R 601 luma) and resized, and nothing else: uint8 [height, width].

    It is what the source `image_folder` does to the images that a network is trained on.

    Args:
        image: [height, width] or [height, width, 3].
        height: of what is returned, in pixels.
        width: likewise.
    """
    return to_grey_and_size(Image.fromarray(image), height, width)
