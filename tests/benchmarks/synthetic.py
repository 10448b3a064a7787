"""Write synthetic digits as IDX files, in the layout of MNIST and in any number.

    python -m tests.benchmarks.synthetic FOLDER --images 70000

An image is one of ten seven-segment digits, shifted by up to four pixels in each direction, with random brightness of
each pixel: learnable, compressible about as well as MNIST, and without duplicates. Images are written in chunks.
"""

from __future__ import annotations

import argparse
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tests.support.data import IDX_NAMES

SIZE, CLASSES = 28, 10
SHIFTS = 9
"""Positions in each direction: -4 to 4 pixels."""
CHUNK_IMAGES = 10_000
IMAGES_PER_TEST_IMAGE = 7
"""As in MNIST, one image in seven is in the test set."""
# Rows and columns of the segments of a seven-segment display in an image of 28x28.
SEGMENTS = {
    "a": (slice(6, 8), slice(10, 18)),
    "b": (slice(6, 14), slice(16, 18)),
    "c": (slice(14, 22), slice(16, 18)),
    "d": (slice(20, 22), slice(10, 18)),
    "e": (slice(14, 22), slice(10, 12)),
    "f": (slice(6, 14), slice(10, 12)),
    "g": (slice(13, 15), slice(10, 18)),
}
DIGITS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgecd", "abc", "abcdefg", "abcdfg")


def write_synthetic(folder: Path, *, images: int, seed: int = 0) -> Path:
    """Write the four IDX files, uncompressed, with this total number of images; a seed determines the bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    test = images // IMAGES_PER_TEST_IMAGE
    random = np.random.default_rng(seed)
    shifted = _shifted_digits()
    for split, count in (("train", images - test), ("test", test)):
        image_path, label_path = (folder / name for name in IDX_NAMES[split])
        with image_path.open("wb") as image_file, label_path.open("wb") as label_file:
            write_header(image_file, count, SIZE, SIZE)
            write_header(label_file, count)
            for start in range(0, count, CHUNK_IMAGES):
                labels = random.permutation(np.arange(start, min(start + CHUNK_IMAGES, count)) % CLASSES)
                image_file.write(_draw(shifted, labels, random).tobytes())
                label_file.write(labels.astype(np.uint8).tobytes())
    return folder


def write_header(file: BinaryIO, *shape: int) -> None:
    file.write(bytes((0, 0, 0x08, len(shape))) + struct.pack(f">{len(shape)}i", *shape))


def _shifted_digits() -> NDArray[np.uint8]:
    """Return every digit in every position: uint8 [digit, rows down, columns right, 28, 28]."""
    digits = np.zeros((CLASSES, SIZE, SIZE), np.uint8)
    for digit, segments in zip(digits, DIGITS, strict=True):
        for segment in segments:
            digit[SEGMENTS[segment]] = 255
    shifts = range(-(SHIFTS // 2), SHIFTS // 2 + 1)
    return np.stack([[np.roll(digits, (down, right), axis=(1, 2)) for right in shifts] for down in shifts]).transpose(
        2, 0, 1, 3, 4
    )


def _draw(shifted: NDArray[np.uint8], labels: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.uint8]:
    down, right = random.integers(0, SHIFTS, (2, len(labels)))
    brightness = random.integers(64, 256, (len(labels), SIZE, SIZE), dtype=np.uint8)
    drawn: NDArray[np.uint8] = shifted[labels, down, right] & brightness
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=70_000)
    options = parser.parse_args()
    write_synthetic(options.folder, images=options.images)


if __name__ == "__main__":
    main()
