"""Checks of the images: constant ones, and equal ones where none should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.example_gen.validation.anomalies import Finding, images_in_words, in_each_split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from components.example_gen.validation.config import CheckLevel, ChecksConfig
    from components.example_gen.validation.image_index import Equals, ImageIndex


def check_images(seen: ImageIndex, checks: ChecksConfig, class_names: Sequence[str]) -> Iterator[Finding]:
    """Yield what is found among all images that were seen, unless its level is `off`."""
    if not checks.look_at_images:
        return
    equals = seen.equals()
    yield from constant_images(seen, equals, checks.constant_images)
    if len(equals.positions):
        yield from duplicates_within_split(seen, equals, checks.duplicates_within_split)
        yield from duplicates_across_splits(seen, equals, checks.duplicates_across_splits)
        yield from conflicting_labels(seen, equals, checks.conflicting_labels, class_names)


def constant_images(seen: ImageIndex, equals: Equals, level: CheckLevel) -> Iterator[Finding]:
    """Find images whose pixels are all equal: empty ones, and those of another grey value."""
    positions = seen.constant()
    if level == "off" or not len(positions):
        return
    empty = int((seen.constant_greys() == 0).sum())
    parts = []
    if empty:
        parts.append(f"{images_in_words(empty)} {'is' if empty == 1 else 'are'} empty, every pixel 0")
    if grey := len(positions) - empty:
        parts.append(f"{images_in_words(grey)} {'has' if grey == 1 else 'have'} one grey value, not 0, in every pixel")
    groups = dict(zip(equals.positions.tolist(), equals.groups.tolist(), strict=True))
    yield Finding(
        check="constant_images",
        level=level,
        message=f"{', and '.join(parts)}: {in_each_split(positions, seen.spans())}",
        count=len(positions),
        setting="constant_images",
        images=positions,
        groups=np.array([groups.get(position, 0) for position in positions.tolist()], dtype=np.int64),
    )


def duplicates_within_split(seen: ImageIndex, equals: Equals, level: CheckLevel) -> Iterator[Finding]:
    """Find images that stand more than once in the same split."""
    splits = splits_of(seen, equals)
    _, place, counts = np.unique(equals.groups * (splits.max() + 1) + splits, return_inverse=True, return_counts=True)
    yield from _finding(
        "duplicates_within_split", level, seen, equals, (counts > 1)[place], "are equal to another one of their split"
    )


def duplicates_across_splits(seen: ImageIndex, equals: Equals, level: CheckLevel) -> Iterator[Finding]:
    """Find images that stand in more than one split."""
    chosen = differ(equals, splits_of(seen, equals))
    yield from _finding("duplicates_across_splits", level, seen, equals, chosen, "are equal to one of another split")


def conflicting_labels(
    seen: ImageIndex, equals: Equals, level: CheckLevel, class_names: Sequence[str]
) -> Iterator[Finding]:
    """Find equal images whose labels differ, in whatever split."""
    labels = seen.labels()[equals.positions]
    chosen = differ(equals, labels)
    if not chosen.any():
        return
    first = np.unique(labels[equals.groups == equals.groups[chosen][0]]).tolist()
    names = " and ".join(f"`{class_names[label]}`" for label in first[:2])
    what = f"are equal to one with another label, such as {names}"
    yield from _finding("conflicting_labels", level, seen, equals, chosen, what)


def splits_of(seen: ImageIndex, equals: Equals) -> NDArray[np.int64]:
    """Return the number of the split that each image with an equal is in."""
    return np.searchsorted([span.stop for span in seen.spans().values()], equals.positions, side="right")


def differ(equals: Equals, values: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return for each image with an equal whether its group has different values."""
    starts = np.flatnonzero(np.diff(equals.groups, prepend=0))
    different: NDArray[np.bool_] = np.minimum.reduceat(values, starts) != np.maximum.reduceat(values, starts)
    return different[equals.groups - 1]


def _finding(
    check: str, level: CheckLevel, seen: ImageIndex, equals: Equals, chosen: NDArray[np.bool_], what: str
) -> Iterator[Finding]:
    if level == "off" or not chosen.any():
        return
    positions = equals.positions[chosen]
    yield Finding(
        check=check,
        level=level,
        message=f"{images_in_words(len(positions))} {what}: {in_each_split(positions, seen.spans())}",
        count=len(positions),
        setting=check,
        images=positions,
        groups=equals.groups[chosen],
    )
