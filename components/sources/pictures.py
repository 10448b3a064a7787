"""PNG and JPEG files as a user has them: of any size, mode and orientation, or broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.errors import DataError
from components.sources.files import reading

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

ENDINGS = frozenset({".png", ".jpg", ".jpeg"})


def read_picture(path: Path, *, enough: int | None = None) -> Image.Image:
    """Return a picture upright, as its EXIF orientation says, and of 8 bits a channel.

    Args:
        path: a PNG or JPEG file.
        enough: pixels; of a JPEG file that is at least twice as wide and high, fewer may be decoded, which is quicker.

    Raises:
        DataError: if the file is missing, cannot be read, or is no whole picture.
    """
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with reading(path, "a PNG or JPEG file"), Image.open(path, formats=("PNG", "JPEG")) as opened:
            if enough is not None:
                opened.draft(None, (enough, enough))
            image = ImageOps.exif_transpose(opened)
            if image.mode == "P":  # a palette, whose transparency Pillow would warn of
                image = image.convert("RGBA")
            if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow would clip
                image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
            return image
    except (
        DataError,
        UnidentifiedImageError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
    ) as error:
        if isinstance(error, DataError) and isinstance(error.__cause__, (FileNotFoundError, PermissionError)):
            raise
        raise DataError(
            f"{path} is not a whole PNG or JPEG image",
            expected="a file that an image viewer opens",
            remedy="replace it or take it away",
        ) from error
