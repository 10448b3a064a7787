"""Conversions of images to one size and one number of channels, and their description."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Literal, Self

from components.artifacts import raw_shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Channels = Literal["auto", 1, 3]
"""1 for grayscale, 3 for red, green and blue; `auto`: 3 if any image has color."""


@dataclass(frozen=True)
class Conversion:
    """What was changed in a set of images."""

    sizes: frozenset[tuple[int, int]] = frozenset()
    """Height and width of the images before they were resized."""
    to_grayscale: bool = False
    """Whether images with color became grayscale."""
    to_color: bool = False
    """Whether grayscale images got three equal channels."""

    def __or__(self, other: Self) -> Conversion:
        return Conversion(
            self.sizes | other.sizes, self.to_grayscale or other.to_grayscale, self.to_color or other.to_color
        )

    def describe(self, height: int, width: int) -> str:
        """Return the conversion to a size as text, empty if nothing was changed.

        >>> Conversion(frozenset({(32, 32)}), to_grayscale=True).describe(28, 28)
        'converted to grayscale, resized from 32x32 to 28x28'
        """
        parts = ["converted to grayscale"] if self.to_grayscale else []
        parts += ["converted to 3 channels where grayscale"] if self.to_color else []
        if sizes := sorted(self.sizes - {(height, width)}, key=lambda size: (size[0] * size[1], size)):
            smallest, largest = (f"{size[0]}x{size[1]}" for size in (sizes[0], sizes[-1]))
            several = f"{len(sizes):,} sizes, {smallest} to {largest},"
            parts.append(f"resized from {smallest if len(sizes) == 1 else several} to {height}x{width}")
        return ", ".join(parts)


UNCHANGED = Conversion()


def image_shape(values: int, size: tuple[int, int] | None = None) -> tuple[int, ...] | None:
    """Return the shape of an image of a number of values: grayscale or, with three per pixel, color; None if none fits.

    Without a size, images are square: no square number is three times another one.

    >>> image_shape(784), image_shape(3072), image_shape(10)
    ((28, 28), (32, 32, 3), None)
    """
    for channels in (1, 3):
        side = isqrt(values // channels)
        height, width = size or (side, side)
        if height * width * channels == values > 0:
            return raw_shape((height, width, channels))
    return None


def has_color(images: NDArray[np.uint8]) -> bool:
    """Return whether any pixel, uint8 [..., 3], is not gray."""
    red, green, blue = images[..., 0], images[..., 1], images[..., 2]
    return bool((red != green).any() or (green != blue).any())


def gray_levels(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the gray levels of colors, uint8 [..., 3]: ITU-R BT.601 luma, rounded as Pillow does."""
    import numpy as np

    weights = np.array([19595, 38470, 7471], dtype=np.uint32)  # sum: 65536, so that gray stays as it is
    levels: NDArray[np.uint8] = ((images @ weights + 0x8000) >> 16).astype(np.uint8)
    return levels


def repeat_gray(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return gray levels, uint8 [...], as colors, uint8 [..., 3]."""
    import numpy as np

    return np.repeat(images[..., None], 3, axis=-1)
