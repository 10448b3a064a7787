"""Checks of single images: constant images, duplicates, and conflicting labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import SPLITS, Anomaly
from components.example_gen.validation.anomalies import Detection
from components.example_gen.validation.config import CheckLevel, ValidationConfig
from components.example_gen.validation.image_index import ImageIndex, find_duplicates

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_STATED_IMAGES = 20
"""Images of an anomaly that the manifest names."""


def check_images(index: ImageIndex, config: ValidationConfig, class_names: Sequence[str]) -> Iterator[Detection]:
    """Yield the anomalies of all images, except those with level `off`."""
    if not config.needs_images:
        return
    entries = index.entries()
    positions, groups = find_duplicates(entries["digest"])
    if len(constant := np.flatnonzero(entries["level"] >= 0)):
        group_of = dict(zip(positions.tolist(), groups.tolist(), strict=True))
        constant_groups = np.array([group_of.get(position, 0) for position in constant.tolist()], dtype=np.int64)
        message = _describe_constant(entries["level"][constant])
        yield from _detect("constant_images", config.constant_images, message, index, constant, constant_groups)
    if not len(positions):
        return
    splits, labels = index.split_numbers(positions), entries["label"][positions]
    _, members, counts = np.unique(groups * len(SPLITS) + splits, return_inverse=True, return_counts=True)
    across, conflicting = _differs_in_group(groups, splits), _differs_in_group(groups, labels)
    first_conflict = np.unique(labels[groups == groups[conflicting.argmax()]]).tolist()
    names = " and ".join(f"`{class_names[label]}`" for label in first_conflict[:2])
    for check, affected, equal_to in (
        ("duplicates_within_split", (counts > 1)[members], "another one of their split"),
        ("duplicates_across_splits", across, "one of another split"),
        ("conflicting_labels", conflicting, f"one with another label, such as {names}"),
    ):
        message = f"{format_images(int(affected.sum()))} are equal to {equal_to}"
        yield from _detect(check, getattr(config, check), message, index, positions[affected], groups[affected])


def format_images(count: int) -> str:
    """Return a number of images as text.

    >>> format_images(1), format_images(1000)
    ('1 image', '1,000 images')
    """
    return f"{count:,} image{'' if count == 1 else 's'}"


def _describe_constant(levels: NDArray[np.int16]) -> str:
    empty = int((levels == 0).sum())
    parts = [f"{format_images(empty)} {'is' if empty == 1 else 'are'} empty, every pixel 0"] if empty else []
    if gray := len(levels) - empty:
        parts.append(f"{format_images(gray)} {'has' if gray == 1 else 'have'} one gray level, not 0, in every pixel")
    return ", and ".join(parts)


def _differs_in_group(groups: NDArray[np.int64], values: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return for each image whether its group has different values."""
    starts = np.flatnonzero(np.diff(groups, prepend=0))
    different: NDArray[np.bool_] = np.minimum.reduceat(values, starts) != np.maximum.reduceat(values, starts)
    return different[groups - 1]


def _detect(
    check: str,
    level: CheckLevel,
    message: str,
    index: ImageIndex,
    positions: NDArray[np.int64],
    groups: NDArray[np.int64],
) -> Iterator[Detection]:
    """Yield the detection of an anomaly, if there are images and its level is not `off`."""
    if level != "off" and len(positions):
        anomaly = Anomaly(
            check=check,
            level=level,
            message=f"{message}: {index.count_by_split(positions)}",
            count=len(positions),
            examples=index.locations(positions[:MAX_STATED_IMAGES]),
        )
        yield Detection(anomaly=anomaly, setting=check, positions=positions, groups=groups)
