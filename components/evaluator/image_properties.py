"""Image properties: the amount of ink, the thickness of strokes and the size of the drawing."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue (ITU-R BT.601), as in the conversion of colored files to gray."""
UNITS = {"ink": "share", "thickness": "px", "size": "px"}
"""The properties that `measure` returns, in its order, with their units."""


def measure(images: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """Return the properties, float64 [count] by name, of pictures, in which ink is bright.

    `ink` is the mean brightness and `thickness` that of the strokes. `size` is the side of the square with the area of
    the box around the ink: the box's longer side is 20 pixels for nearly all digits of MNIST, which were scaled to it.
    All are 0 for an image without ink. In color, the brightness is the luminance.
    """
    pictures = images[..., 0] if images.shape[-1] == 1 else images @ LUMINANCE
    brightest = pictures.max(axis=(1, 2))
    shades = np.where(brightest > 0, brightest, 1)  # do not divide an image without ink by 0
    covered, outline = pictures.sum(axis=(1, 2)) / shades, _outline(pictures) / shades
    return {
        "ink": pictures.mean(axis=(1, 2)).astype(np.float64),
        "thickness": _thickness(covered.astype(np.float64), outline.astype(np.float64)),
        "size": _size(pictures > brightest[:, None, None] / 2),
    }


def measure_batches(batches: Iterable[NDArray[np.float32]]) -> dict[str, NDArray[np.float64]]:
    """Return the properties of all images of all batches (see `measure`)."""
    measured = [measure(images) for images in batches]
    return {name: np.concatenate([batch[name] for batch in measured]) for name in UNITS}


def _thickness(area: NDArray[np.float64], outline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the thickness of a stroke with round ends that has a given area and outline.

    A stroke of thickness t along a line of length l has the area t l + π t² / 4 and the outline 2 l + π t (J. Steiner,
    1840). A closed stroke has no ends: its area over half its outline is t, and the result is up to a tenth higher.
    """
    # No figure has less outline than a disc, but rounding in an image of several shades may suggest it.
    return np.asarray((outline - np.sqrt(np.maximum(outline**2 - 4 * np.pi * area, 0))) / np.pi)


def _outline(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the length of the outline of the ink, in pixels: the total variation of each picture.

    It is the mean over all shades of the border between brighter and darker pixels (H. Federer's coarea formula, 1959):
    no threshold. Gradients between the four pixels around a corner give straight and diagonal edges their exact length.
    """
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)))
    rising = padded[:, 1:, 1:] - padded[:, :-1, :-1]
    falling = padded[:, :-1, 1:] - padded[:, 1:, :-1]
    # Both diagonals are perpendicular and √2 pixels long. In place: half of the time is spent on memory.
    rising *= rising
    falling *= falling
    rising += falling
    np.sqrt(rising, out=rising)
    return np.asarray(rising.sum(axis=(1, 2)) / np.sqrt(np.float32(2)))


def _size(inked: NDArray[np.bool_]) -> NDArray[np.float64]:
    rows, columns = (np.logical_or.reduce(inked, axis=axis) for axis in (2, 1))
    return np.asarray(np.sqrt(_extent(rows) * _extent(columns)))


def _extent(lines: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the number of lines from the first with ink to the last, of bool [count, lines]."""
    extent: NDArray[np.int64] = lines.shape[1] - lines.argmax(axis=1) - lines[:, ::-1].argmax(axis=1)
    return extent * lines.any(axis=1)
