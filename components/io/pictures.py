"""Reader of PNG and JPEG files of any size, mode and orientation."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.errors import DataError, first_line
from components.io.files import catch_read_errors, open_regular

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

PICTURE = "a PNG or JPEG file"
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})


def read_picture(path: Path, *, min_side: int | None = None) -> Image.Image:
    """Read a picture: upright according to its EXIF orientation, grayscale or RGB with 8 bits, transparency made white.

    With `min_side`, a much larger JPEG file is decoded at a lower resolution of at least that many pixels a side, which
    is faster.
    """
    from PIL import Image

    with open_regular(path, PICTURE) as file, catch_read_errors(path, PICTURE):
        try:
            # Pillow warns of harmless oddities.
            with warnings.catch_warnings(action="ignore"), Image.open(file, formats=("PNG", "JPEG")) as opened:
                if min_side is not None:
                    opened.draft(None, (min_side, min_side))
                return _to_8_bits(_upright(opened))
        except Image.DecompressionBombError as error:
            headline = f"{path} has more pixels than can be read safely: {first_line(error)}"
            raise DataError(headline, expected="a picture of fewer pixels", remedy="reduce it, or remove it") from error
        except (OSError, SyntaxError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of Pillow
                raise
            headline, remedy = f"{path} is not a whole PNG or JPEG image", "replace it, or remove it"
            raise DataError(headline, expected="a file that an image viewer opens", remedy=remedy) from error


def to_grayscale(picture: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    """Convert a picture to grayscale (ITU-R 601 luma) and resize it: uint8 [height, width]."""
    import numpy as np
    from PIL import Image

    gray = picture.convert("L")
    if gray.size != (width, height):
        gray = gray.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(gray)


def _upright(picture: Image.Image) -> Image.Image:
    from PIL import ImageOps

    picture.load()
    # Pillow raises various errors for a damaged EXIF block, before or after it turns the pixels. They are valid.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(picture, in_place=True)
    return picture.copy()


def _to_8_bits(picture: Image.Image) -> Image.Image:
    import numpy as np
    from PIL import Image

    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    if picture.mode.startswith("I"):  # 16 bits per pixel, which Pillow would clip
        return Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
    # When Pillow reduces a picture of 1 bit per pixel, whole strokes disappear.
    return picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB")
