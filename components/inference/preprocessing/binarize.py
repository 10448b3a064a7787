"""Separation of ink from paper: dark on light or light on dark, in uneven light."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from components.base.errors import DataError
from components.inference.preprocessing.grayscale import edge_mask

GRID_POINTS = 40
"""Maximum number of points per side at which the paper's brightness is fitted."""
MAX_STROKE_FRACTION = 0.4
"""Maximum width of a stroke, as a fraction of the shorter side. Wider areas are shadows, or the table."""
MIN_CONTRAST = 12.0
"""Minimum difference between ink and paper, in gray levels of 255."""
MIN_SIGNAL_TO_NOISE = 5.0
"""Minimum ratio of that difference to the noise."""
MIN_INK = 0.2
"""Fainter ink, as a fraction of the full strength, is paper. With it, photos of MNIST's digits keep their ink."""
MIN_SPECK_FRACTION = 0.08
"""A separate component with less ink than this fraction of the largest one is dust."""


class NoInkError(DataError):
    """Nothing in the image contrasts with its background."""


def find_ink(gray: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the amount of ink of each pixel, 0 (paper) to 1: float32 [height, width].

    The paper's brightness is measured at the edge of the image, so the digit may fill the image but cover at most half
    of its edge. A linear slope of brightness is fitted to the edge, then a quadratic surface to all pixels near that
    slope, both by least absolute deviations, which strokes do not affect. Ink is on the side of the surface, brighter
    or darker, with the larger sum. A top-hat transform (F. Meyer, 1979) removes sharp shadows, which are wider than
    strokes.

    Raises:
        NoInkError: if nothing contrasts with the background.
    """
    above = gray - fit_paper(gray)
    noise = 1.4826 * float(np.median(np.abs(above[edge_mask(gray)])))
    brighter, darker = (float(np.maximum(side - 3 * noise, 0).sum()) for side in (above, -above))
    contrast = np.maximum(above if brighter > darker else -above, 0)
    contrast -= ndimage.grey_opening(contrast, max(3, round(MAX_STROKE_FRACTION * min(gray.shape))))
    strength = full_strength(contrast)
    if strength < max(MIN_CONTRAST, MIN_SIGNAL_TO_NOISE * noise):
        raise NoInkError(
            "nothing contrasts with the background",
            expected="a digit that is darker or brighter than its background",
            remedy="take the picture from a shorter distance, or in better light",
        )
    faintest = max(MIN_INK, 3 * noise / strength)
    return remove_specks(np.clip((contrast / strength - faintest) / (1 - faintest), 0, 1).astype(np.float32))


def fit_paper(gray: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the brightness that the paper would have without ink: float32 [height, width]."""
    height, width = gray.shape
    rows = np.unique(np.linspace(0, height - 1, min(GRID_POINTS, height)).round().astype(int))
    columns = np.unique(np.linspace(0, width - 1, min(GRID_POINTS, width)).round().astype(int))
    grid = np.ix_(rows, columns)
    levels = gray[grid].ravel().astype(np.float64)
    y, x = (axis.ravel() for axis in np.meshgrid(rows / height - 0.5, columns / width - 0.5, indexing="ij"))
    terms = np.stack([np.ones_like(y), y, x, y * x, y**2, x**2], axis=1)
    at_edge = edge_mask(gray)[grid].ravel()
    slope = fit_least_absolute(terms[at_edge, :3], levels[at_edge])
    distance = np.abs(levels - terms[:, :3] @ slope)
    near = distance <= max(2 * float(np.median(distance[at_edge])), MIN_CONTRAST / 2)
    surface = fit_least_absolute(terms[near | at_edge], levels[near | at_edge])
    y, x = np.ogrid[:height, :width]
    y, x = y / height - 0.5, x / width - 0.5
    paper = sum(weight * term for weight, term in zip(surface, (1.0, y, x, y * x, y**2, x**2), strict=True))
    return np.broadcast_to(paper, gray.shape).astype(np.float32)


def fit_least_absolute(terms: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of the terms, [points, terms], that fit the levels, [points], by least absolute deviations.

    The method is iteratively reweighted least squares.
    """
    point_weights = np.ones_like(levels)
    term_weights: NDArray[np.float64] = np.zeros(terms.shape[1])
    ridge = np.eye(terms.shape[1]) * 1e-6  # makes the system solvable for the few points of a tiny image
    for _ in range(20):  # further iterations move the fit by less than a gray level
        weighted = terms.T * point_weights
        term_weights = np.linalg.solve(weighted @ terms + ridge, weighted @ levels).astype(np.float64)
        point_weights = 1 / np.maximum(np.abs(levels - terms @ term_weights), 0.5)
    return term_weights


def full_strength(contrast: NDArray[np.float32]) -> float:
    """Return the contrast of ink that is not blurred with paper: the median of all above half of the maximum."""
    maximum = float(np.quantile(contrast, 0.998))
    bright = contrast[contrast > maximum / 2]
    return float(np.median(bright)) if len(bright) else 0.0


def remove_specks(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the ink without small separate components, such as dust or marks at the edge."""
    labels, count = ndimage.label(ink > 0, structure=np.ones((3, 3)))
    if count < 2:
        return ink
    amounts = ndimage.sum_labels(ink, labels, np.arange(1, count + 1))
    kept = amounts >= MIN_SPECK_FRACTION * amounts.max()
    return np.where(np.concatenate([[False], kept])[labels], ink, np.float32(0))
