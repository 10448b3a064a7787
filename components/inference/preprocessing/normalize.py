"""A photo or a scan of a digit brought to MNIST's convention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import ndimage

from components.inference.preprocessing.binarize import find_ink
from components.inference.preprocessing.center import place
from components.inference.preprocessing.grayscale import edge, to_grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 384
"""Pixels of the longer side from which an image is made smaller: noise and time go, and a digit still has plenty."""
DARK = 64
"""A background below this grey level is dark."""


def normalize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return what the network is to see of a picture: uint8 [height, width], ink bright, as MNIST's digits are.

    Args:
        image: of any size, [height, width] or [height, width, 3]; dark on light or light on dark.
        height: of the network's images, in pixels.
        width: likewise.

    Raises:
        NoInkError: if nothing stands out from the background.
    """
    grey = to_grey(shrunk(image))
    blur = 0.4 if min(grey.shape) < 64 else 0.8
    return place(find_ink(ndimage.gaussian_filter(grey, blur)), height, width)


def shrunk(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image whose longer side is at most `LARGEST` pixels."""
    longest = max(image.shape[:2])
    if longest <= LARGEST:
        return image
    height, width = (max(1, round(side * LARGEST / longest)) for side in image.shape[:2])
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))


def is_conventional(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return for each image, uint8 [count, height, width], whether it is bright on dark already: bool [count]."""
    levels = images[:, edge(images[0])]
    background = np.median(levels, axis=1)
    brightest, darkest = images.max(axis=(1, 2)), images.min(axis=(1, 2))
    conventional: NDArray[np.bool_] = (background < DARK) & (brightest - background >= background - darkest)
    return conventional
