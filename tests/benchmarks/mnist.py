"""MNIST as four IDX files, from where tensorflow-datasets keeps it, or downloads it to.

python -m tests.benchmarks.mnist FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.support.data import IDX_NAMES, write_idx


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    splits = tfds.as_numpy(tfds.load("mnist", batch_size=-1))
    folder.mkdir(parents=True, exist_ok=True)
    for part, (images, labels) in IDX_NAMES.items():
        write_idx(folder / images, splits[part]["image"][..., 0])
        write_idx(folder / labels, splits[part]["label"])


if __name__ == "__main__":
    main()
