"""Small pictures that the page carries in itself: PNG as data URIs, clear where there is nothing to see.

What is clear takes the colour of the page, so that the same picture serves in the light and in the dark.
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

# From clear to full colour, by the Okabe-Ito palette that the PNG files have too: blue for what is suppressed.
BLUE, VERMILION = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
INK = (0, 0, 0)
MIDDLE = 128
"""The palette's entry for zero."""


def ink(image: NDArray[np.float32]) -> str:
    """Return an image as black ink; the page turns it white where it is dark itself.

    Args:
        image: scaled, float32 [height, width], 0 for the background.
    """
    strength = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return _png(strength, bytes(INK * 256), bytes(range(256)))


def tiles(maps: NDArray[np.float32], *, limit: float, columns: int) -> str:
    """Return feature maps beside each other, a pixel apart: vermilion above zero, blue below, clear at it.

    Args:
        maps: float32 [height, width, filters].
        limit: the absolute value that gets the full colour.
        columns: how many are beside each other.
    """
    height, width, filters = maps.shape
    rows = -(-filters // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), MIDDLE, dtype=np.uint8)
    levels = np.rint(np.clip(maps / limit, -1, 1) * 127).astype(np.int16) + MIDDLE
    for number in range(filters):
        row, column = divmod(number, columns)
        top, left = row * (height + 1), column * (width + 1)
        sheet[top : top + height, left : left + width] = levels[..., number]
    palette = bytes(BLUE * MIDDLE + VERMILION * (256 - MIDDLE))
    return _png(sheet, palette, bytes(min(255, 2 * abs(level - MIDDLE)) for level in range(256)))


def heat(counts: NDArray[np.int64]) -> str:
    """Return a matrix of counts, a pixel each: the more, the more vermilion, by the square root."""
    strength = np.sqrt(counts / max(1, counts.max()))
    return _png(np.rint(strength * 255).astype(np.uint8), bytes(VERMILION * 256), bytes(range(256)))


def _png(pixels: NDArray[np.uint8], palette: bytes, opacity: bytes) -> str:
    """Return a palette image as a data URI; its bytes depend on nothing but the arguments and Pillow's version."""
    picture = Image.frombytes("P", (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels).tobytes())
    picture.putpalette(palette)
    stream = io.BytesIO()
    picture.save(stream, "PNG", transparency=opacity, compress_level=9)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
