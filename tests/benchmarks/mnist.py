"""Write MNIST as four IDX files, from the data directory of tensorflow-datasets or downloaded by it.

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
    for split, (images, labels) in IDX_NAMES.items():
        write_idx(folder / images, splits[split]["image"][..., 0])
        write_idx(folder / labels, splits[split]["label"])


if __name__ == "__main__":
    main()
