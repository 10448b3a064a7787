"""A digit's ink brought to the size and place of MNIST's digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIELD, BOX = 28, 20
"""Pixels a side of MNIST's images, and of the box that a digit fills in its longer direction."""
THINNEST = 2.2
"""Pixels of the field: what a thinner pen drew is thickened to that; one in twenty of MNIST's digits is thinner."""


def place(ink: NDArray[np.float32], height: int, width: int) -> NDArray[np.uint8]:
    """Return the ink in proportion in a box of 20x20, centred by mass in a field of 28x28: uint8 [height, width].

    So Y. LeCun, C. Cortes and C. Burges describe it ("The MNIST database of handwritten digits"): grey levels come of
    the anti-aliasing, and the centre of mass is moved to the centre of the field. Other fields are in proportion.

    Args:
        ink: float32 [height, width], 0 to 1; not empty.
        height: of what is returned, in pixels.
        width: likewise.
    """
    pixel = min(height, width) / FIELD
    ink = thickened(ink, THINNEST / BOX * longer_side(ink))
    step = longer_side(ink) / (BOX * pixel)
    down, right = ndimage.center_of_mass(ink)
    # Paper around, so that the field lies within the image wherever the mass is.
    margin = int(np.ceil(step * max(height, width)))
    field = Image.fromarray(np.pad(ink, margin))
    top, left = (margin + mass + 0.5 - side * step / 2 for mass, side in ((down, height), (right, width)))
    part = (left, top, left + width * step, top + height * step)
    smooth = Image.Resampling.HAMMING if step > 1 else Image.Resampling.BICUBIC
    placed = np.asarray(field.resize((width, height), smooth, box=part))
    seen: NDArray[np.uint8] = np.rint(np.clip(placed / placed.max(), 0, 1) * 255).astype(np.uint8)
    return seen


def longer_side(ink: NDArray[np.float32]) -> int:
    """Return the longer side of the box around all that is more ink than paper, in pixels."""
    solid = ink > min(0.5, float(ink.max()) / 2)
    return max(int(np.ptp(np.flatnonzero(solid.any(axis=axis)))) + 1 for axis in (0, 1))


def thickened(ink: NDArray[np.float32], least: float) -> NDArray[np.float32]:
    """Return the ink with strokes that are at least so many pixels wide."""
    depth = ndimage.distance_transform_edt(np.pad(ink > 0.5, 1))
    inside = depth[depth > 0]
    # Across a stroke of width w, depth rises from 0 at the outline to w / 2 and falls again: its mean is w / 4.
    # A pixel's centre is half a pixel closer to the outline than to the next pixel's.
    missing = least - (4 * (float(inside.mean()) - 0.5) if len(inside) else 1.0)
    radius = missing / 2
    if radius < 0.5:
        return ink
    reach = int(np.ceil(radius))
    away = ndimage.distance_transform_edt(np.pad(ink <= 0.5, reach, constant_values=True))
    wider: NDArray[np.float32] = np.maximum(np.clip(radius + 0.5 - away, 0, 1).astype(np.float32), np.pad(ink, reach))
    return wider
