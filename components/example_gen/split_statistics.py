"""Statistics of the images of a split: counts of labels, of pixels by value, and of images by brightness."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from components.artifacts import ExamplesShard, ExamplesSplit

COUNT_CHUNK_PIXELS = 2**20
"""Values counted at a time; `numpy.bincount` makes a temporary integer of 8 bytes of each."""
INK_HISTOGRAM_BINS = 20


class SplitStatistics:
    """The statistics of a split, or of a part of it, counted from its images as they are written."""

    def __init__(self, classes: int, channels: int) -> None:
        self._levels = np.zeros((channels, 256), dtype=np.int64)
        self._labels = np.zeros(classes, dtype=np.int64)
        self._ink = np.zeros(INK_HISTOGRAM_BINS, dtype=np.int64)

    def add(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        """Count a batch of raw images, uint8 [batch, height, width(, 3)], and their labels."""
        self._labels += np.bincount(labels, minlength=len(self._labels))
        channels = images.reshape(-1, len(self._levels)).T
        for levels, pixels in zip(self._levels, channels, strict=True):
            for start in range(0, len(pixels), COUNT_CHUNK_PIXELS):
                levels += np.bincount(pixels[start : start + COUNT_CHUNK_PIXELS], minlength=256)
        ink = images.reshape(len(images), -1).mean(axis=1)
        self._ink += np.histogram(ink, bins=INK_HISTOGRAM_BINS, range=(0, 255))[0]

    def merge(self, other: Self) -> None:
        """Add the counts of other images of the split."""
        self._levels += other._levels
        self._labels += other._labels
        self._ink += other._ink

    def to_examples_split(self, shards: tuple[ExamplesShard, ...]) -> ExamplesSplit:
        """Return the statistics as part of the manifest."""
        # In integers, because the rounding of a sum of floats depends on the processor and on addresses in memory.
        counts: list[int] = self._levels.sum(axis=0).tolist()
        pixels = sum(counts)
        total = sum(count * level for level, count in enumerate(counts))
        squares = sum(count * level**2 for level, count in enumerate(counts))
        variance = (squares * pixels - total**2) / pixels**2
        return ExamplesSplit(
            shards=shards,
            count=int(self._labels.sum()),
            label_counts=tuple(self._labels.tolist()),
            pixel_mean=total / pixels,
            pixel_std=variance**0.5,
            pixel_histogram=tuple(self._levels.reshape(-1, 16).sum(axis=1).tolist()),
            ink_histogram=tuple(self._ink.tolist()),
        )
