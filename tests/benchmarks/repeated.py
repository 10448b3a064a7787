"""Write MNIST many times, with small changes, as IDX files: a data set that does not fit into memory.

    python -m tests.benchmarks.repeated FOLDER --mnist FOLDER --times 100

Each repetition shifts all images by up to two pixels in each direction, and darkens them by up to three gray levels, so
that up to 100 repetitions of an image differ. The files are uncompressed; images are written one repetition at a time.
"""

from __future__ import annotations

import argparse
import gzip
from itertools import islice, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.synthetic import write_header
from tests.support.data import IDX_NAMES

SHIFTS = range(-2, 3)
LEVELS = range(4)
IMAGES_HEADER, LABELS_HEADER = 16, 8
"""Bytes before the data of an IDX file."""


def write_repeated(folder: Path, mnist: Path, *, times: int) -> Path:
    """Write the four IDX files, uncompressed, with `times` variants of each image of the files in `mnist`."""
    folder.mkdir(parents=True, exist_ok=True)
    changes = [*islice(product(LEVELS, SHIFTS, SHIFTS), times)]
    if len(changes) < times:
        raise ValueError(f"{times} variants of an image: there are only {len(changes)}")
    for image_name, label_name in IDX_NAMES.values():
        labels = _read(mnist / label_name, LABELS_HEADER)
        images = _read(mnist / image_name, IMAGES_HEADER).reshape(len(labels), 28, 28)
        with (folder / image_name).open("wb") as image_file, (folder / label_name).open("wb") as label_file:
            write_header(image_file, times * len(labels), 28, 28)
            write_header(label_file, times * len(labels))
            for level, down, right in changes:
                shifted = np.roll(images, (down, right), axis=(1, 2))
                image_file.write((shifted - np.minimum(shifted, level)).data)
                label_file.write(labels.data)
    return folder


def _read(path: Path, header: int) -> NDArray[np.uint8]:
    zipped = path.with_name(f"{path.name}.gz")
    content = gzip.decompress(zipped.read_bytes()) if zipped.exists() else path.read_bytes()
    return np.frombuffer(content, np.uint8, offset=header)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mnist", type=Path, required=True)
    parser.add_argument("--times", type=int, default=100)
    options = parser.parse_args()
    write_repeated(options.folder, options.mnist, times=options.times)


if __name__ == "__main__":
    main()
