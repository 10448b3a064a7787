"""Scaling and centering of a digit's ink, as in MNIST."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

FIELD_PIXELS, BOX_PIXELS = 28, 20
"""Sides of MNIST's images, and of the box that the longer side of a digit fills."""
MIN_STROKE_PIXELS = 2.2
"""Thinner strokes, in pixels of the field, are thickened to this width; one in twenty of MNIST's digits is thinner."""


def center(ink: NDArray[np.float32], height: int, width: int) -> NDArray[np.uint8]:
    """Scale the ink to a box of 20x20 and center it by mass in a field of 28x28: uint8 [height, width].

    This is the method of Y. LeCun, C. Cortes and C. Burges ("The MNIST database of handwritten digits"): anti-aliasing
    makes the gray levels, and the center of mass moves to the center of the field. For other sizes, both the box and
    the field scale. The ink is 0 to 1, and not all 0.
    """
    unit = min(height, width) / FIELD_PIXELS
    ink = thicken(ink, MIN_STROKE_PIXELS / BOX_PIXELS * longer_side(ink))
    step = longer_side(ink) / (BOX_PIXELS * unit)
    y, x = ndimage.center_of_mass(ink)
    # The margin keeps the field within the image wherever the center of mass is.
    margin = int(np.ceil(step * max(height, width)))
    padded = Image.fromarray(np.pad(ink, margin))
    top, left = (margin + mass + 0.5 - side * step / 2 for mass, side in ((y, height), (x, width)))
    box = (left, top, left + width * step, top + height * step)
    resampling = Image.Resampling.HAMMING if step > 1 else Image.Resampling.BICUBIC
    field = np.asarray(padded.resize((width, height), resampling, box=box))
    centered: NDArray[np.uint8] = np.rint(np.clip(field / field.max(), 0, 1) * 255).astype(np.uint8)
    return centered


def longer_side(ink: NDArray[np.float32]) -> int:
    """Return the longer side of the bounding box of all pixels that are more ink than paper, in pixels."""
    solid = ink > min(0.5, float(ink.max()) / 2)
    return max(int(np.ptp(np.flatnonzero(solid.any(axis=axis)))) + 1 for axis in (0, 1))


def thicken(ink: NDArray[np.float32], min_stroke: float) -> NDArray[np.float32]:
    """Return the ink with strokes of at least `min_stroke` pixels."""
    depth = ndimage.distance_transform_edt(np.pad(ink > 0.5, 1))
    inside = depth[depth > 0]
    # Across a stroke of width w, depth rises from 0 at the outline to w / 2 and falls again: its mean is w / 4.
    # The center of a pixel is half a pixel closer to the outline than to the center of the next pixel.
    missing = min_stroke - (4 * (float(inside.mean()) - 0.5) if len(inside) else 1.0)
    radius = missing / 2
    if radius < 0.5:
        return ink
    reach = int(np.ceil(radius))
    distance = ndimage.distance_transform_edt(np.pad(ink <= 0.5, reach, constant_values=True))
    grown = np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)
    thick: NDArray[np.float32] = np.maximum(grown, np.pad(ink, reach))
    return thick
