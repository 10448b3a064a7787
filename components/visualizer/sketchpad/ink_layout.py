"""How the images of a data set lie: what a drawing must be made to look like before the network sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

INK = 0.25
"""What differs by more from the background is ink; less may be noise, or traces of compression."""
DRAWN = 0.75
"""Share of the pad that the longer side of a drawing takes, more or less."""


@dataclass(frozen=True)
class Convention:
    """How the ink lies in a data set's images.

    MNIST's images have a longer side of 20 of 28 pixels and are centred by mass (Y. LeCun, C. Cortes, C. Burges, "The
    MNIST database of handwritten digits"); scikit-learn's digits take the whole side and are centred by their box.
    """

    background: Literal[0, 1]
    """0 where ink is bright, 1 where it is dark."""
    longer_side: int
    """Pixels of the longer side of the box around the ink."""
    centred_by: Literal["mass", "box"]
    """Whether the centre of mass or that of the box is at `centre`."""
    centre: tuple[float, float]
    """Row and column, in pixels from the upper left corner, to half a pixel."""
    brush: float
    """Width of a stroke on the pad, as a share of its side, that makes strokes as thick as the images'."""


@dataclass(frozen=True)
class _Extents:
    """Where images' ink lies along one axis, in pixels: arrays of [count]."""

    first: NDArray[np.float64]
    behind: NDArray[np.float64]
    mass: NDArray[np.float64]

    @property
    def middle(self) -> NDArray[np.float64]:
        return (self.first + self.behind) / 2


def measure_convention(images: NDArray[np.float32]) -> Convention:
    """Return how the ink lies in images, scaled float32 [count, height, width, 1]; where there is none, MNIST's.

    Whether images are centred by mass or by box is told by which of the two varies less. The thickness of a stroke is
    twice its area by its perimeter, and the perimeter of what has grey borders is its total variation (the coarea
    formula; H. Federer, "Curvature measures", 1959).
    """
    height, width = images.shape[1:3]
    border = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    background: Literal[0, 1] = 1 if np.median(border) > 0.5 else 0
    ink = np.abs(background - images[..., 0])
    ink = ink[(ink > INK).any(axis=(1, 2))]
    if not len(ink):
        return Convention(background, round(20 / 28 * min(height, width)), "mass", (height / 2, width / 2), 0.09)
    down, right = _extents(ink, axis=1), _extents(ink, axis=2)
    longer = np.maximum(down.behind - down.first, right.behind - right.first)
    longer_side = round(float(np.median(longer)))
    by_mass = np.var(down.mass) + np.var(right.mass) < np.var(down.middle) + np.var(right.middle)
    rows, columns = (down.mass, right.mass) if by_mass else (down.middle, right.middle)
    variation = np.hypot(np.diff(ink, axis=1, append=0), np.diff(ink, axis=2, append=0)).sum(axis=(1, 2))
    thickness = float(np.median(2 * ink.sum(axis=(1, 2)) / variation))
    return Convention(
        background=background,
        longer_side=longer_side,
        centred_by="mass" if by_mass else "box",
        centre=(round(2 * float(rows.mean())) / 2, round(2 * float(columns.mean())) / 2),
        brush=round(min(max(thickness / longer_side * DRAWN, 0.02), 0.3), 3),
    )


def _extents(ink: NDArray[np.float32], *, axis: int) -> _Extents:
    """Return the extents along rows (axis 1) or columns (axis 2) of ink [count, height, width]."""
    profile = ink.sum(axis=3 - axis, dtype=np.float64)
    inked = ink.max(axis=3 - axis) > INK
    length = ink.shape[axis]
    return _Extents(
        first=inked.argmax(axis=1).astype(np.float64),
        behind=(length - inked[:, ::-1].argmax(axis=1)).astype(np.float64),
        mass=profile @ (np.arange(length) + 0.5) / profile.sum(axis=1),
    )
