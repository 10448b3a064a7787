"""PNG and JPEG files as a user has them: of any size, mode and orientation, or broken."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from components.base.errors import DataError, first_line
from components.io.files import reading

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

ENDINGS = frozenset({".png", ".jpg", ".jpeg"})


ORIENTATION = 0x0112
"""The EXIF tag that says how a camera was held."""


def read_picture(path: Path, *, enough: int | None = None) -> Image.Image:
    """Return a picture upright, as its EXIF orientation says, of 8 bits a channel, on white where it is transparent.

    Args:
        path: a PNG or JPEG file.
        enough: pixels; of a JPEG file that is at least twice as wide and high, fewer may be decoded, which is quicker.

    Raises:
        DataError: if the file is missing, cannot be read, is no whole picture, or is too large.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with (
            warnings.catch_warnings(action="ignore"),  # Pillow warns of oddities that do no harm
            reading(path, "a PNG or JPEG file"),
            Image.open(path, formats=("PNG", "JPEG")) as opened,
        ):
            if enough is not None:
                opened.draft(None, (enough, enough))
            return _plain(_upright(opened))
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{path} has more pixels than can be read safely: {first_line(error)}",
            expected="a picture of fewer pixels",
            remedy="make it smaller, or take it away",
        ) from error
    except (DataError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        if isinstance(error, DataError) and isinstance(error.__cause__, (FileNotFoundError, PermissionError)):
            raise
        raise DataError(
            f"{path} is not a whole PNG or JPEG image",
            expected="a file that an image viewer opens",
            remedy="replace it or take it away",
        ) from error


def to_grey_and_size(picture: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture grey (ITU-R 601 luma) and resized: uint8 [height, width]."""
    import numpy as np
    from PIL import Image

    grey = picture.convert("L")
    if grey.size != (width, height):
        grey = grey.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(grey)


def _upright(picture: Image.Image) -> Image.Image:
    """Return a picture turned as its EXIF block says; one that cannot be read says nothing, and the pixels are fine."""
    from PIL import Image

    ways = Image.Transpose
    try:
        orientation = picture.getexif().get(ORIENTATION)
    except Exception:  # whatever a damaged block makes of Pillow's parser
        orientation = None
    turns = {
        2: ways.FLIP_LEFT_RIGHT,
        3: ways.ROTATE_180,
        4: ways.FLIP_TOP_BOTTOM,
        5: ways.TRANSPOSE,
        6: ways.ROTATE_270,
        7: ways.TRANSVERSE,
        8: ways.ROTATE_90,
    }
    turn = turns.get(orientation) if isinstance(orientation, int) else None
    picture.load()
    return picture.copy() if turn is None else picture.transpose(turn)


def _plain(picture: Image.Image) -> Image.Image:
    """Return a picture of grey or of red, green and blue, 8 bits each."""
    import numpy as np
    from PIL import Image

    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    if picture.mode.startswith("I"):  # 16 bits a pixel, which Pillow would clip
        return Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
    # Of 1 bit a pixel, Pillow would leave out whole strokes when it makes a picture smaller.
    return picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB")
