"""Conversion of an image's ink to pen strokes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixel = tuple[int, int]
Stroke = list[tuple[float, float]]
"""Points as [x, y], as fractions of the image's sides."""
AROUND = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))


def as_strokes(image: NDArray[np.floating], *, scale: float = 0.8) -> list[Stroke]:
    """Return the center lines of an image's ink.

    Args:
        image: [height, width], 0 for paper to 1 for ink.
        scale: of the lines around the image's center; the width of the pen enlarges them again.
    """
    height, width = image.shape
    left = {(int(row), int(column)) for row, column in np.argwhere(_thin(image > 0.5))}

    def near(pixel: Pixel) -> list[Pixel]:
        return [there for down, right in AROUND if (there := (pixel[0] + down, pixel[1] + right)) in left]

    def place(pixel: Pixel) -> tuple[float, float]:
        row, column = ((at + 0.5) / size - 0.5 for at, size in zip(pixel, (height, width), strict=True))
        return 0.5 + scale * column, 0.5 + scale * row

    strokes = []
    while left:
        stroke = [min(left, key=lambda pixel: (len(near(pixel)), pixel))]  # an end of a line, if any
        left.remove(stroke[0])
        while ways := near(stroke[-1]):
            stroke.append(ways[0])
            left.remove(ways[0])
        strokes.append([place(pixel) for pixel in stroke])
    return strokes


def _thin(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin ink to lines (T. Y. Zhang, C. Y. Suen, "A fast parallel algorithm for thinning digital patterns", 1984)."""
    image = np.pad(ink, 1).astype(int)
    changed = True
    while changed:
        changed = False
        for corners in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            ring = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
            gone = []
            for row, column in np.argwhere(image):
                around = [image[row + down, column + right] for down, right in ring]
                borders = sum(one < other for one, other in zip(around, around[1:] + around[:1], strict=True))
                if (
                    2 <= sum(around) <= 6
                    and borders == 1
                    and all(0 in [around[at] for at in three] for three in corners)
                ):
                    gone.append((row, column))
            for place in gone:
                image[place] = 0
            changed = changed or bool(gone)
    return image[1:-1, 1:-1].astype(bool)
