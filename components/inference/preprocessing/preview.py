"""Pictures of what an image was beside what the network saw of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from components.runtime.disk import disk_space_guard

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from components.inference.preprocessing.input_reader import InputImage

TALL = 280
"""Pixels that both are high."""
GAP = 20
NOT_IN_A_NAME = re.compile(r"[^\w.-]+", re.ASCII)


LONGEST = 100
"""Characters of a file's name that are kept: a file system takes 255 bytes with what comes behind."""
WIDEST = 2000
"""Pixels that a picture is made wide at most: a strip is not shown in proportion."""


class PreviewWriter:
    """Keeps a picture of each image in a folder.

    Args:
        folder: which is there already.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: set[str] = set()

    def keep(self, sight: InputImage, label: str, probability: float) -> None:
        """Write one, called by the image's file, its label and how probable that is: `photo_7_0.998.png`.

        Raises:
            StorageError: if the disk is full.
        """
        row = "" if sight.row is None else f"-{sight.row:06}"
        path = self.folder / f"{self._free(f'{sight.path.stem}{row}')}_{plain(label)}_{probability:.3f}.png"
        with disk_space_guard(self.folder):
            Image.fromarray(side_by_side(sight.given, sight.seen)).save(path)

    def _free(self, name: str) -> str:
        """Return the name, with a number behind it where another folder's file is called the same."""
        name = plain(name)[:LONGEST]
        free, number = name, 1
        while free in self._names:
            number += 1
            free = f"{name}-{number}"
        self._names.add(free)
        return free


def plain(name: str) -> str:
    """Return a name with nothing in it that means something to a file system.

    >>> plain("a / b")
    'a_b'
    """
    return NOT_IN_A_NAME.sub("_", name)


def side_by_side(given: NDArray[np.uint8], seen: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what was given to the left of what the network saw, both `TALL` pixels high: uint8 [height, width, 3]."""
    left, right = enlarged(given), enlarged(seen)
    gap = np.full((TALL, GAP, 3), 128, dtype=np.uint8)
    return np.concatenate([left, gap, right], axis=1)


def enlarged(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image in proportion and in colour, `TALL` pixels high; each of few pixels is a square to be seen."""
    height, width = image.shape[:2]
    size = (min(WIDEST, max(1, round(width * TALL / height))), TALL)
    sampling = Image.Resampling.NEAREST if height < TALL else Image.Resampling.BOX
    return np.asarray(Image.fromarray(image).convert("RGB").resize(size, sampling))
