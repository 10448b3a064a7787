"""InkLayout: how large and where the ink is in the images of a data set."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

INK_THRESHOLD = 0.25
"""A pixel is ink if it differs by more from the background; smaller differences are noise or compression artifacts."""
DRAWING_SHARE = 0.75
"""Typical share of the sketchpad that the longer side of a drawing takes."""
BRUSH_LIMITS = (0.02, 0.3)


@dataclass(frozen=True)
class InkLayout:
    """How large and where the ink is in the images of a data set.

    In MNIST's images, the longer side of the ink is 20 of 28 pixels, and its center of mass is in the middle (Y. LeCun,
    C. Cortes, C. Burges, "The MNIST database of handwritten digits"). In scikit-learn's digits, the ink takes the whole
    side, and its bounding box is in the middle.
    """

    background: Literal[0, 1]
    """0 for bright ink on a dark background, 1 for the opposite."""
    longer_side: int
    """Pixels of the longer side of the bounding box of the ink."""
    centered_by: Literal["mass", "box"]
    """Whether the center of mass or that of the bounding box is at `center`."""
    center: tuple[float, float]
    """Row and column in pixels from the upper left corner, to half a pixel."""
    brush: float
    """Stroke width, as a share of the side of the sketchpad, that gives strokes as thick as those of the images."""


@dataclass(frozen=True)
class _Extents:
    """Where the ink of images is along one axis, in pixels: arrays of [count]."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    mass: NDArray[np.float64]

    @property
    def middle(self) -> NDArray[np.float64]:
        return (self.start + self.end) / 2


def measure_ink_layout(images: NDArray[np.float32]) -> InkLayout:
    """Return the layout of images, scaled float32 [count, height, width, 1]; that of MNIST if they have no ink.

    Images are centered by mass or by box, whichever varies less. The thickness of a stroke is twice its area divided by
    its perimeter; the perimeter of a shape with gray borders is its total variation (the coarea formula; H. Federer,
    "Curvature measures", 1959).
    """
    height, width = images.shape[1:3]
    border = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    background: Literal[0, 1] = 1 if np.median(border) > 0.5 else 0
    ink = np.abs(background - images[..., 0])
    ink = ink[(ink > INK_THRESHOLD).any(axis=(1, 2))]
    if not len(ink):
        return InkLayout(background, round(20 / 28 * min(height, width)), "mass", (height / 2, width / 2), 0.09)
    rows, columns = _extents(ink, axis=1), _extents(ink, axis=2)
    longer_side = round(float(np.median(np.maximum(rows.end - rows.start, columns.end - columns.start))))
    by_mass = np.var(rows.mass) + np.var(columns.mass) < np.var(rows.middle) + np.var(columns.middle)
    centers = (rows.mass, columns.mass) if by_mass else (rows.middle, columns.middle)
    row, column = (round(2 * float(center.mean())) / 2 for center in centers)
    variation = np.hypot(np.diff(ink, axis=1, append=0), np.diff(ink, axis=2, append=0)).sum(axis=(1, 2))
    thickness = float(np.median(2 * ink.sum(axis=(1, 2)) / variation))
    return InkLayout(
        background=background,
        longer_side=longer_side,
        centered_by="mass" if by_mass else "box",
        center=(row, column),
        brush=round(float(np.clip(thickness / longer_side * DRAWING_SHARE, *BRUSH_LIMITS)), 3),
    )


def _extents(ink: NDArray[np.float32], *, axis: int) -> _Extents:
    """Return the extents along rows (axis 1) or columns (axis 2) of ink [count, height, width]."""
    profile = ink.sum(axis=3 - axis, dtype=np.float64)
    is_ink = ink.max(axis=3 - axis) > INK_THRESHOLD
    length = ink.shape[axis]
    return _Extents(
        start=is_ink.argmax(axis=1).astype(np.float64),
        end=(length - is_ink[:, ::-1].argmax(axis=1)).astype(np.float64),
        mass=profile @ (np.arange(length) + 0.5) / profile.sum(axis=1),
    )
