"""A finding: what a check found, before the manifest states it as an anomaly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from components.artifacts import Level


def _none() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found."""

    check: str
    level: Level
    message: str
    """In one sentence, without its full stop."""
    count: int
    """Images, or classes, that it is about."""
    setting: str
    """The key of the configuration that says how grave it is."""
    images: NDArray[np.int64] = field(default_factory=_none)
    """Positions (see `ImageIndex`) of the images that it is about."""
    groups: NDArray[np.int64] = field(default_factory=_none)
    """For each of them the number of the group of images that it is equal to, or 0."""


def images_in_words(count: int) -> str:
    """Return a number of images in words.

    >>> images_in_words(1), images_in_words(1000)
    ('1 image', '1,000 images')
    """
    return f"{count:,} image{'' if count == 1 else 's'}"


def in_each_split(positions: NDArray[np.int64], spans: Mapping[str, range]) -> str:
    """Return how many of the images at some positions are in which split.

    >>> in_each_split(np.array([1, 2, 12]), {"train": range(10), "validation": range(10, 12), "test": range(12, 15)})
    '2 in train, 1 in test'
    """
    counts = {name: int(((positions >= span.start) & (positions < span.stop)).sum()) for name, span in spans.items()}
    return ", ".join(f"{count:,} in {name}" for name, count in counts.items() if count)
