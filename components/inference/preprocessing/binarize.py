"""Ink told from paper: dark on light or light on dark, in uneven light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from components.base.errors import DataError
from components.inference.preprocessing.grayscale import edge

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID = 40
"""Points a side, at most, by which the paper's brightness is fitted."""
ROUNDS = 20
"""Of reweighting: from then on the fit moves by less than a grey level."""
STROKE = 0.4
"""Of the shorter side: what is wider than that is no stroke but a shadow, or the table below the paper."""
LEAST_CONTRAST = 12.0
"""Grey levels of 255 between ink and paper, at least."""
LEAST_SIGNAL = 5.0
"""And so many times the noise."""
FAINTEST = 0.2
"""Of the ink's full strength: what is fainter is paper. MNIST's digits, made into photos, keep their amount of ink."""
SPECK = 0.08
"""Of the largest stroke's ink: what has less, and lies apart, is dust."""


class NoInkError(DataError):
    """Nothing in the image stands out from its background."""


def find_ink(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much ink each pixel has, float32 [height, width], 0 to 1, 0 for paper.

    What the paper is like is read off the edge of the image, so the digit may fill the image but not more than about
    half of its edge. First a slope of brightness is fitted to the edge, then a surface of second degree to all that
    lies close to it, both by least absolute deviations, which strokes do not pull on. Ink is what lies to that side of
    it, brighter or darker, on which there is more. Sharper shadows, which are wider than strokes, go by a top-hat
    transform (F. Meyer, 1979).

    Args:
        grey: float32 [height, width], of any range of grey levels.

    Raises:
        NoInkError: if nothing stands out.
    """
    above = grey - paper_of(grey)
    noise = 1.4826 * float(np.median(np.abs(above[edge(grey)])))
    brighter, darker = (float(np.maximum(side - 3 * noise, 0).sum()) for side in (above, -above))
    raised = np.maximum(above if brighter > darker else -above, 0)
    raised -= ndimage.grey_opening(raised, max(3, round(STROKE * min(grey.shape))))
    strength = full_strength(raised)
    if strength < max(LEAST_CONTRAST, LEAST_SIGNAL * noise):
        raise NoInkError(
            "nothing stands out from the background",
            expected="a digit, darker or brighter than what it is written on",
            remedy="take the picture closer, or in better light",
        )
    faintest = max(FAINTEST, 3 * noise / strength)
    return without_specks(np.clip((raised / strength - faintest) / (1 - faintest), 0, 1).astype(np.float32))


def paper_of(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the brightness of the paper at each pixel, as if nothing were written on it: float32 [height, width]."""
    height, width = grey.shape
    rows = np.unique(np.linspace(0, height - 1, min(GRID, height)).round().astype(int))
    columns = np.unique(np.linspace(0, width - 1, min(GRID, width)).round().astype(int))
    places = np.ix_(rows, columns)
    levels = grey[places].ravel().astype(np.float64)
    down, right = (axis.ravel() for axis in np.meshgrid(rows / height - 0.5, columns / width - 0.5, indexing="ij"))
    terms = np.stack([np.ones_like(down), down, right, down * right, down**2, right**2], axis=1)
    at_edge = edge(grey)[places].ravel()
    slope = least_absolute(terms[at_edge, :3], levels[at_edge])
    off = np.abs(levels - terms[:, :3] @ slope)
    close = off <= max(2 * float(np.median(off[at_edge])), LEAST_CONTRAST / 2)
    surface = least_absolute(terms[close | at_edge], levels[close | at_edge])
    down, right = np.ogrid[:height, :width]
    down, right = down / height - 0.5, right / width - 0.5
    all_terms = (1.0, down, right, down * right, down**2, right**2)
    paper = sum(weight * term for weight, term in zip(surface, all_terms, strict=True))
    return np.broadcast_to(paper, grey.shape).astype(np.float32)


def least_absolute(terms: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of the terms whose sum is least far from the levels, by iteratively reweighted least squares.

    Args:
        terms: float64 [points, terms].
        levels: float64 [points].
    """
    weights = np.ones_like(levels)
    found: NDArray[np.float64] = np.zeros(terms.shape[1])
    slight = np.eye(terms.shape[1]) * 1e-6  # so that too few points, in a tiny image, have an answer too
    for _ in range(ROUNDS):
        weighted = terms.T * weights
        found = np.linalg.solve(weighted @ terms + slight, weighted @ levels).astype(np.float64)
        weights = 1 / np.maximum(np.abs(levels - terms @ found), 0.5)
    return found


def full_strength(raised: NDArray[np.float32]) -> float:
    """Return how far ink that is not blurred with paper stands out: the median of what is above half of the most."""
    most = float(np.quantile(raised, 0.998))
    bright = raised[raised > most / 2]
    return float(np.median(bright)) if len(bright) else 0.0


def without_specks(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the ink without what is no part of the digit: dust, and what reaches in from the edge beside it."""
    labels, count = ndimage.label(ink > 0, structure=np.ones((3, 3)))
    if count < 2:
        return ink
    amounts = ndimage.sum_labels(ink, labels, np.arange(1, count + 1))
    kept = amounts >= SPECK * amounts.max()
    return np.where(np.concatenate([[False], kept])[labels], ink, np.float32(0))
