"""Small images inside the page: PNG files as data URIs.

Maps and grayscale images are transparent where their value is zero. Transparent pixels have the color of the page, so
the same image works in the light and in the dark theme.
"""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

# The Okabe-Ito palette of the PNG figures.
BLUE, VERMILION, BLACK = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0, 0, 0)
MAX_SIDE_PIXELS = 96
"""Of a larger picture, only every second, third, ... pixel is shown, to limit the size of the page."""
ZERO = 128
"""The palette index of the value zero in feature maps."""
MAX_HALVINGS = 4


def image_attributes(picture: NDArray[np.float32]) -> Markup:
    """Return the attributes `class` and `src` of a picture [height, width, channels] as an `img` element.

    A grayscale picture is black ink, which the dark theme inverts; one in color has the same colors in both themes.
    """
    step = -(-max(picture.shape[:2]) // MAX_SIDE_PIXELS)
    pixels = np.rint(np.clip(picture[::step, ::step], 0, 1) * 255).astype(np.uint8)
    if pixels.shape[2] == 1:
        kind, uri = "ink", _palette_uri(pixels[..., 0], bytes(BLACK * 256), bytes(range(256)))
    else:
        kind, uri = "color", _png_uri(Image.fromarray(pixels))
    return Markup('class="{}" src="{}"').format(kind, uri)


def strip_attributes(pictures: Sequence[NDArray[np.float32]]) -> Markup:
    """Return `class` and `src` of pictures of one size side by side, transparent between them."""
    height, width, channels = pictures[0].shape
    gap = max(1, width // 12)
    strip = np.zeros((height, len(pictures) * (width + gap) - gap, 2 if channels == 1 else 4), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        values = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
        place = strip[:, number * (width + gap) :][:, :width]
        place[..., :-1], place[..., -1:] = (0, values) if channels == 1 else (values, 255)
    kind, mode = ("ink", "LA") if channels == 1 else ("color", "RGBA")
    return Markup('class="{}" src="{}"').format(kind, _png_uri(Image.fromarray(strip, mode)))


def feature_map_sheet(maps: NDArray[np.float32], *, limit: float, columns: int) -> str:
    """Return feature maps [height, width, filters] in a grid, one pixel apart: vermilion above zero, blue below.

    `limit` is the absolute value with the full color.
    """
    height, width, filters = maps.shape
    rows = -(-filters // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), ZERO, dtype=np.uint8)
    levels = np.rint(np.clip(maps / limit, -1, 1) * 127).astype(np.int16) + ZERO
    for number in range(filters):
        row, column = divmod(number, columns)
        top, left = row * (height + 1), column * (width + 1)
        sheet[top : top + height, left : left + width] = levels[..., number]
    palette = bytes(BLUE * ZERO + VERMILION * (256 - ZERO))
    return _palette_uri(sheet, palette, bytes(min(255, 2 * abs(level - ZERO)) for level in range(256)))


def heat_map(counts: NDArray[np.int64]) -> str:
    """Return a matrix of counts, one pixel each; the opacity grows with the square root of the count."""
    opacity = np.sqrt(counts / max(1, counts.max()))
    return _palette_uri(np.rint(opacity * 255).astype(np.uint8), bytes(VERMILION * 256), bytes(range(256)))


def figure_picture(path: Path, *, max_bytes: int) -> str:
    """Return a PNG file as a data URI; a larger one with fewer colors, and with fewer pixels where necessary."""
    content = path.read_bytes()
    if len(content) > max_bytes:
        with Image.open(path) as picture:
            reduced = picture.convert("RGB")
        for _ in range(MAX_HALVINGS):
            stream = io.BytesIO()
            reduced.quantize(256).save(stream, "PNG")
            content = stream.getvalue()
            if len(content) <= max_bytes:
                break
            reduced = reduced.reduce(2)
    return _data_uri(content)


def _palette_uri(pixels: NDArray[np.uint8], palette: bytes, opacity: bytes) -> str:
    picture = Image.frombytes("P", (pixels.shape[1], pixels.shape[0]), np.ascontiguousarray(pixels).tobytes())
    picture.putpalette(palette)
    return _png_uri(picture, transparency=opacity)


def _png_uri(picture: Image.Image, **options: Any) -> str:
    """Return an image as a data URI; its bytes depend only on the arguments and the version of Pillow."""
    stream = io.BytesIO()
    picture.save(stream, "PNG", **options)
    return _data_uri(stream.getvalue())


def _data_uri(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
