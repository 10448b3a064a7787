"""Resizing of images without normalization, as the source `image_folder` does it."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.io.conversion import gray_levels, repeat_gray
from components.io.pictures import resize_picture


def resize_grayscale(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return an image, [height, width] or [height, width, 3], in grayscale (ITU-R BT.601): uint8 [height, width]."""
    resized = resize_picture(Image.fromarray(image), height, width)
    return gray_levels(resized) if resized.ndim == 3 else resized


def resize_color(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return an image, [height, width] or [height, width, 3], in color: uint8 [height, width, 3]."""
    resized = resize_picture(Image.fromarray(image), height, width)
    return resized if resized.ndim == 3 else repeat_gray(resized)
