"""Index of all images by digest, collected while they are written, so that no image is read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import SPLITS
from components.io.image_digests import DIGEST_DTYPE, image_digests

if TYPE_CHECKING:
    from numpy.typing import NDArray

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

    def spans(self) -> dict[str, range]:
        """Return the positions of each split's images."""
        counts = [sum(map(len, self._pieces[name])) for name in SPLITS]
        ends = np.cumsum(counts).tolist()
        return {name: range(end - count, end) for name, count, end in zip(SPLITS, counts, ends, strict=True)}

    def split_numbers(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the index in `SPLITS` of the split of each position."""
        return np.searchsorted([span.stop for span in self.spans().values()], positions, side="right")

    def locations(self, positions: NDArray[np.int64]) -> tuple[str, ...]:
        """Return the split and row of each position, such as `train/17`."""
        spans = self.spans()
        splits = [SPLITS[number] for number in self.split_numbers(positions).tolist()]
        return tuple(f"{name}/{at - spans[name].start}" for name, at in zip(splits, positions.tolist(), strict=True))

    def count_by_split(self, positions: NDArray[np.int64]) -> str:
        """Return how many of the positions are in each split, such as `2 in train, 1 in test`."""
        counts = np.bincount(self.split_numbers(positions), minlength=len(SPLITS)).tolist()
        return ", ".join(f"{count:,} in {name}" for name, count in zip(SPLITS, counts, strict=True) if count)


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
