"""Digests of images, and the images that several splits share, compared pixel by pixel."""

from collections.abc import Mapping
from hashlib import blake2b, sha256
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from components.artifacts import SplitOverlap

DIGEST_DTYPE = np.dtype("V16")
"""A BLAKE2b digest of 16 bytes, which represents an image where millions are compared."""


def image_digests(images: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.void]:
    """Return the digest of each image: V16 [count]."""
    rows = np.ascontiguousarray(images).reshape(len(images), -1)
    size = DIGEST_DTYPE.itemsize
    return np.frombuffer(b"".join([blake2b(row.data, digest_size=size).digest() for row in rows]), DIGEST_DTYPE)


def split_sha256(images: NDArray[np.void], labels: NDArray[np.int64]) -> str:
    """Return the SHA-256 over the digests and labels of a split's images; it does not depend on their order."""
    rows = sorted(zip(images.tolist(), labels.tolist(), strict=True))
    return sha256(b"".join(image + label.to_bytes(8, "little") for image, label in rows)).hexdigest()


def find_shared_images(digests: Mapping[str, NDArray[np.void]]) -> tuple[tuple[SplitOverlap, ...], int]:
    """Return the overlap of each pair of splits, and the number of images that are in more than one split.

    An image that is in a split several times counts that often.
    """
    distinct = {name: np.unique(of_split) for name, of_split in digests.items()}
    pairs = combinations(distinct, 2)
    common = {(a, b): np.intersect1d(distinct[a], distinct[b], assume_unique=True) for a, b in pairs}
    shared = np.unique(np.concatenate([*common.values()]))
    overlaps = tuple(SplitOverlap(splits=pair, images=len(both)) for pair, both in common.items())
    images = sum(int(np.isin(of_split, shared).sum()) for of_split in digests.values()) if len(shared) else 0
    return overlaps, images
