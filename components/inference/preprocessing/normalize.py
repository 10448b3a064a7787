"""Normalization of a photo or scan of a digit to MNIST's convention."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from components.inference.preprocessing.binarize import find_ink
from components.inference.preprocessing.center import center
from components.inference.preprocessing.grayscale import edge_mask, to_max_contrast

MAX_SIDE_PIXELS = 384
"""Larger images are reduced to this longer side, which saves noise and time and keeps plenty of the digit."""
DARK_LEVEL = 64
"""A background below this gray level is dark."""


def normalize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return a digit as MNIST's are: bright ink on black, scaled and centered; uint8 [height, width].

    The image, [height, width] or [height, width, 3], is of any size; dark on light or light on dark.

    Raises:
        NoInkError: if nothing contrasts with the background.
    """
    gray = to_max_contrast(_reduce(image))
    return center(find_ink(ndimage.gaussian_filter(gray, 0.4 if min(gray.shape) < 64 else 0.8)), height, width)


def is_bright_on_dark(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return for each image, uint8 [count, height, width], whether it is bright on dark already: bool [count]."""
    background = np.median(images[:, edge_mask(images[0])], axis=1)
    brightest, darkest = images.max(axis=(1, 2)), images.min(axis=(1, 2))
    bright: NDArray[np.bool_] = (background < DARK_LEVEL) & (brightest - background >= background - darkest)
    return bright


def _reduce(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    longer_side = max(image.shape[:2])
    if longer_side <= MAX_SIDE_PIXELS:
        return image
    height, width = (max(1, round(side * MAX_SIDE_PIXELS / longer_side)) for side in image.shape[:2])
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))
