"""What the checks keep of every image as it is written, so that none is read again or held in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import SPLITS
from components.io.image_digests import DIGEST_DTYPE, image_digests

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Equals:
    """The images that have an equal, those that are equal to each other side by side."""

    positions: NDArray[np.int64]
    """[images], by group, and within a group ascending."""
    groups: NDArray[np.int64]
    """[images]: which are equal to each other; numbered from 1 in the order of their first images."""


class ImageIndex:
    """Takes down a digest and a label of every image, 20 bytes, and which images are constant.

    An image's *position* counts through train, then validation, then test.
    """

    def __init__(self) -> None:
        self._digests: dict[str, list[NDArray[np.void]]] = {name: [] for name in SPLITS}
        self._labels: dict[str, list[NDArray[np.int32]]] = {name: [] for name in SPLITS}
        self._constant: dict[str, list[NDArray[np.int64]]] = {name: [] for name in SPLITS}
        self._greys: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in SPLITS}
        self._counts = dict.fromkeys(SPLITS, 0)

    def add(self, split: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        """See the next images of a split, uint8 [some, pixels], and their labels."""
        constant = np.flatnonzero(images.max(axis=1) == images.min(axis=1))
        self._constant[split].append(constant + self._counts[split])
        self._greys[split].append(images[constant, 0])
        self._digests[split].append(image_digests(images))
        self._labels[split].append(labels.astype(np.int32))
        self._counts[split] += len(images)

    def spans(self) -> dict[str, range]:
        """Return the positions of each split's images."""
        ends = np.cumsum([*self._counts.values()]).tolist()
        return {name: range(end - self._counts[name], end) for name, end in zip(SPLITS, ends, strict=True)}

    def labels(self) -> NDArray[np.int32]:
        """Return the label of each image, by position."""
        return np.concatenate([np.empty(0, np.int32), *(piece for name in SPLITS for piece in self._labels[name])])

    def constant(self) -> NDArray[np.int64]:
        """Return the positions of the images whose pixels are all equal, ascending."""
        spans = self.spans()
        pieces = [piece + spans[name].start for name in SPLITS for piece in self._constant[name]]
        return np.concatenate([np.empty(0, np.int64), *pieces])

    def constant_greys(self) -> NDArray[np.uint8]:
        """Return the one grey value of each of the images that `constant` returns."""
        return np.concatenate([np.empty(0, np.uint8), *(piece for name in SPLITS for piece in self._greys[name])])

    def equals(self) -> Equals:
        """Return the images that have an equal in any split."""
        every = np.concatenate(
            [np.empty(0, DIGEST_DTYPE), *(piece for name in SPLITS for piece in self._digests[name])]
        )
        halves = every.view(np.uint64).reshape(-1, 2)
        order = np.lexsort((halves[:, 1], halves[:, 0]))
        halves = halves[order]
        begins = np.ones(len(halves) + 1, dtype=np.bool_)
        begins[1:-1] = (halves[1:] != halves[:-1]).any(axis=1)
        # A group of one begins where the next one begins too.
        several = ~(begins[:-1] & begins[1:])
        # lexsort is stable: within a group the positions ascend.
        positions, first = order[several], begins[:-1][several]
        numbers = np.empty(int(first.sum()), dtype=np.int64)
        numbers[np.argsort(positions[first])] = np.arange(1, len(numbers) + 1)
        groups = numbers[np.cumsum(first) - 1]
        by_group = np.argsort(groups, kind="stable")
        return Equals(positions[by_group], groups[by_group])
