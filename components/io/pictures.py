"""Reader of pictures of any size, mode and orientation, in the usual formats."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from components.base.errors import DataError, first_line
from components.io.files import catch_read_errors, open_regular

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image
    from PIL.ImageFile import ImageFile

PICTURE = "a picture: PNG, JPEG, BMP, GIF, TIFF or WebP"
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
TAG_BITS_PER_SAMPLE, TAG_PHOTOMETRIC = 258, 262
WHITE_IS_ZERO = 0


@dataclass(frozen=True)
class Picture:
    """A picture that is read, upright, with white for transparency."""

    image: Image.Image
    """Mode L or RGB."""
    has_more_frames: bool
    """Whether the file has further frames or pages, which are not read."""


class UnsupportedDepthError(Exception):
    """The scale of the picture's gray levels is unknown."""


def read_picture(path: Path, *, min_side: int | None = None) -> Picture:
    """Read the first frame of a picture file; `min_side` and errors are those of `decode_picture`."""
    with open_regular(path, PICTURE) as file, catch_read_errors(path, PICTURE):
        return decode_picture(file, str(path), min_side=min_side)


def decode_picture(file: IO[bytes], name: str, *, min_side: int | None = None) -> Picture:
    """Read the first frame of a picture; `name` is its name in messages.

    With `min_side`, a much larger JPEG file is decoded at a lower resolution of at least that many pixels a side, which
    is faster.

    Raises:
        DataError: if the picture is damaged, too large, or of an unsupported format.
        OSError: if the file cannot be read.
    """
    from PIL import Image

    try:
        # Pillow warns of harmless oddities.
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=FORMATS) as opened:
            if min_side is not None:
                opened.draft(None, (min_side, min_side))
            # Phones store depth maps and thumbnails as further frames of a photo.
            has_more_frames = opened.format != "MPO" and getattr(opened, "is_animated", False)
            _check_depth(opened)
            _scale_transparent_color(opened)
            return Picture(_to_8_bits(_upright(opened)), has_more_frames)
    except Image.DecompressionBombError as error:
        headline = f"{name} has more pixels than can be read safely: {first_line(error)}"
        raise DataError(headline, expected="a picture of fewer pixels", remedy="reduce it, or remove it") from error
    except UnsupportedDepthError as error:
        headline = f"{name} is a picture {error}"
        raise DataError(headline, expected="8 or 16 bits per sample", remedy="convert it to PNG") from error
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises various errors for a damaged file
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of Pillow
            raise
        headline, remedy = f"{name} is not a whole picture", "replace it, or remove it"
        raise DataError(headline, expected=PICTURE, remedy=remedy) from error


def resize_picture(picture: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture of mode L or RGB in another size: uint8 [height, width] or [height, width, 3]."""
    import numpy as np
    from PIL import Image

    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def _check_depth(opened: ImageFile) -> None:
    """Raise an error for gray levels whose scale Pillow does not return."""
    if opened.mode in ("I", "F"):
        raise UnsupportedDepthError("of 32 bits per sample")
    tags = getattr(opened, "tag_v2", {})
    if tags and opened.mode.startswith("I;16"):
        if tags.get(TAG_BITS_PER_SAMPLE) != (16,):
            raise UnsupportedDepthError(f"of {tags[TAG_BITS_PER_SAMPLE][0]} bits per sample")
        if tags.get(TAG_PHOTOMETRIC) == WHITE_IS_ZERO:
            raise UnsupportedDepthError("of 16 bits per sample in which 0 is white")


def _scale_transparent_color(opened: ImageFile) -> None:
    """Scale the transparent color of a PNG file to 8 bits, as Pillow scales the pixels but not this color."""
    color = opened.info.get("transparency")
    raw_mode = opened.tile[0].args if opened.format == "PNG" else None
    if color is not None and raw_mode in ("L;2", "L;4"):
        opened.info["transparency"] = color * (85 if raw_mode == "L;2" else 17)
    elif color is not None and raw_mode == "RGB;16B":
        opened.info["transparency"] = tuple(channel >> 8 for channel in color)


def _upright(opened: Image.Image) -> Image.Image:
    from PIL import ImageOps

    opened.load()
    # Pillow raises various errors for a damaged EXIF block, before or after it turns the pixels. They are valid.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(opened, in_place=True)
    return opened.copy()


def _to_8_bits(picture: Image.Image) -> Image.Image:
    import numpy as np
    from PIL import Image

    if picture.mode.startswith("I;16"):  # Pillow would clip the levels
        levels = np.asarray(picture)
        gray = (levels // 257).astype(np.uint8)
        gray[levels == picture.info.get("transparency", -1)] = 255
        return Image.fromarray(gray)
    if picture.mode == "La":  # multiplied by alpha; Pillow converts it to LA only
        picture = picture.convert("LA")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    # When Pillow reduces a picture of 1 bit per pixel, whole strokes disappear.
    return picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB")
