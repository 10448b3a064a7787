"""Index of all images by digest, collected while they are written, so that no image is read again."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.artifacts import SPLITS
from components.io.image_digests import DIGEST_DTYPE, image_digests

ENTRY_DTYPE = np.dtype([("digest", DIGEST_DTYPE), ("label", np.int32), ("level", np.int16)])
"""22 bytes per image. `level` is the gray level of an image whose pixels are all equal, and -1 for other images."""


class ImageIndex:
    """Stores the digest and label of every image, and which images are constant.

    The *position* of an image counts through train, then validation, then test.
    """

    def __init__(self) -> None:
        self._pieces: dict[str, list[NDArray[np.void]]] = {name: [] for name in SPLITS}

    def add(self, split: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        """Add the next images of a split, uint8 [some, pixels], and their labels."""
        entries = np.empty(len(images), ENTRY_DTYPE)
        entries["digest"], entries["label"] = image_digests(images), labels
        entries["level"] = np.where(images.max(axis=1) == images.min(axis=1), images[:, 0], np.int16(-1))
        self._pieces[split].append(entries)

    def entries(self) -> NDArray[np.void]:
        """Return the entry of each image, by position: ENTRY_DTYPE [images]."""
        return np.concatenate([np.empty(0, ENTRY_DTYPE), *(piece for name in SPLITS for piece in self._pieces[name])])

    def locate(self, positions: NDArray[np.int64]) -> pd.DataFrame:
        """Return the `split` of each position, and its `row` in that split."""
        starts = np.cumsum([0, *(sum(map(len, pieces)) for pieces in self._pieces.values())])
        splits = np.searchsorted(starts[1:], positions, side="right")
        return pd.DataFrame({"split": np.array(SPLITS)[splits], "row": positions - starts[splits]})


def find_duplicates(digests: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of all digests that occur more than once, and the group of each.

    Equal digests have the same group number. Groups are numbered from 1, in the order of their first positions, and
    the result is sorted by group and position.
    """
    halves = np.ascontiguousarray(digests).view(np.uint64).reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    halves = halves[order]
    begins = np.ones(len(halves) + 1, dtype=np.bool_)
    begins[1:-1] = (halves[1:] != halves[:-1]).any(axis=1)
    # A group of one begins directly before the beginning of the next group.
    repeated = ~(begins[:-1] & begins[1:])
    # lexsort is stable: within a group the positions ascend.
    positions, first = order[repeated], begins[:-1][repeated]
    numbers = np.empty(int(first.sum()), dtype=np.int64)
    numbers[np.argsort(positions[first])] = np.arange(1, len(numbers) + 1)
    groups = numbers[np.cumsum(first) - 1]
    by_group = np.argsort(groups, kind="stable")
    return positions[by_group], groups[by_group]
