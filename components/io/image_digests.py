"""Images that stand, to the last pixel, in more than one split."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import SplitOverlap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

DIGEST = np.dtype("V16")
"""An image's digest (BLAKE2b of 16 bytes): so many images are compared by it, not by themselves."""


@dataclass(frozen=True)
class Shared:
    """What splits have in common."""

    overlaps: tuple[SplitOverlap, ...]
    """One a pair of splits."""
    images: int
    """Images, over all splits, that stand in another one too."""


def image_digests(images: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.void]:
    """Return the digest of each image: V16 [count]."""
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    return np.frombuffer(b"".join([blake2b(row.data, digest_size=DIGEST.itemsize).digest() for row in rows]), DIGEST)


def find_shared(digests: Mapping[str, NDArray[np.void]]) -> Shared:
    """Return what splits have in common, given the digests of their images."""
    distinct = {name: np.unique(of) for name, of in digests.items()}
    common = {
        pair: np.intersect1d(distinct[pair[0]], distinct[pair[1]], assume_unique=True)
        for pair in combinations(distinct, 2)
    }
    twice = np.unique(np.concatenate([*common.values()]))
    return Shared(
        overlaps=tuple(SplitOverlap(splits=pair, images=len(both)) for pair, both in common.items()),
        images=sum(int(np.isin(of, twice).sum()) for of in digests.values()) if len(twice) else 0,
    )
