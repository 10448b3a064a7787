"""Made-up digits as IDX files, as many as are asked for: MNIST's layout at 1, 3, 10 or 30 times its size.

    python -m tests.benchmarks.synthetic FOLDER --images 70000

An image is one of ten digits drawn in segments, moved by up to four pixels each way, its ink uneven: enough to be
learned, about as easily packed as MNIST, and none like another. They are made and written piece by piece.
"""

from __future__ import annotations

import argparse
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tests.support.data import IDX_NAMES

SIZE, CLASSES, MOVES = 28, 10, 9
PIECE = 10_000
TEST_SHARE = 7
"""One image in so many is for the test set, as in MNIST."""
# Of a seven-segment display: rows and columns that a segment covers in a field of 28x28.
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
    """Write the four IDX files, plain, with so many images in all; the same seed gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    test = images // TEST_SHARE
    random = np.random.default_rng(seed)
    moved = _moved_digits()
    for part, count in (("train", images - test), ("test", test)):
        pictures, labels = (folder / name for name in IDX_NAMES[part])
        with pictures.open("wb") as picture_file, labels.open("wb") as label_file:
            _header(picture_file, count, SIZE, SIZE)
            _header(label_file, count)
            for start in range(0, count, PIECE):
                chosen = random.permutation(np.arange(start, min(start + PIECE, count)) % CLASSES)
                picture_file.write(_draw(moved, chosen, random).tobytes())
                label_file.write(chosen.astype(np.uint8).tobytes())
    return folder


def _header(file: BinaryIO, *shape: int) -> None:
    file.write(bytes((0, 0, 0x08, len(shape))) + struct.pack(f">{len(shape)}i", *shape))


def _moved_digits() -> NDArray[np.uint8]:
    """Return every digit in every place: uint8 [digit, rows down, columns right, 28, 28]."""
    digits = np.zeros((CLASSES, SIZE, SIZE), np.uint8)
    for digit, segments in zip(digits, DIGITS, strict=True):
        for segment in segments:
            digit[SEGMENTS[segment]] = 255
    moves = range(-(MOVES // 2), MOVES // 2 + 1)
    return np.stack([[np.roll(digits, (down, right), axis=(1, 2)) for right in moves] for down in moves]).transpose(
        2, 0, 1, 3, 4
    )


def _draw(moved: NDArray[np.uint8], labels: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.uint8]:
    down, right = random.integers(0, MOVES, (2, len(labels)))
    ink = random.integers(64, 256, (len(labels), SIZE, SIZE), dtype=np.uint8)
    drawn: NDArray[np.uint8] = moved[labels, down, right] & ink
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=70_000)
    options = parser.parse_args()
    write_synthetic(options.folder, images=options.images)


if __name__ == "__main__":
    main()
