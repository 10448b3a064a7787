"""Pictures that show an input image beside the preprocessed image."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.inference.preprocessing.input_reader import InputImage
from components.runtime.disk import disk_space_guard

HEIGHT_PIXELS = 280
"""Height of both images."""
MAX_WIDTH_PIXELS = 2000
"""Wider images, such as strips, are squeezed."""
MAX_NAME_CHARACTERS = 100
"""Longer names of files and classes are cut: a file system accepts 255 bytes for both and the probability."""


class PreviewWriter:
    """Writes a preview of each predicted image to an existing folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: set[str] = set()

    def write(self, image: InputImage, label: str, probability: float) -> None:
        """Write a preview named by the input file, the predicted label and its probability: `photo_7_0.998.png`."""
        row = "" if image.row is None else f"-{image.row:06}"
        name = self._unique(f"{image.path.stem}{row}")
        path = self.folder / f"{name}_{safe_name(label)[:MAX_NAME_CHARACTERS]}_{probability:.3f}.png"
        with disk_space_guard(self.folder):
            Image.fromarray(side_by_side(image.original, image.network_input)).save(path)

    def _unique(self, name: str) -> str:
        name = safe_name(name)[:MAX_NAME_CHARACTERS]
        unique, number = name, 1  # files in several folders may have one name
        while unique in self._names:
            number += 1
            unique = f"{name}-{number}"
        self._names.add(unique)
        return unique


def safe_name(name: str) -> str:
    """Return a name without characters that are special in a file system.

    >>> safe_name("a / b")
    'a_b'
    """
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)


def side_by_side(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return two images side by side, both `HEIGHT_PIXELS` high: uint8 [height, width, 3]."""
    gap = np.full((HEIGHT_PIXELS, 20, 3), 128, dtype=np.uint8)
    return np.concatenate([_resize(left), gap, _resize(right)], axis=1)


def _resize(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    size = (min(MAX_WIDTH_PIXELS, max(1, round(width * HEIGHT_PIXELS / height))), HEIGHT_PIXELS)
    resampling = Image.Resampling.NEAREST if height < HEIGHT_PIXELS else Image.Resampling.BOX
    return np.asarray(Image.fromarray(image).convert("RGB").resize(size, resampling))
