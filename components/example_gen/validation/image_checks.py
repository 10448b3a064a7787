"""Checks of single images: constant images, duplicates, and conflicting labels."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.artifacts import SPLITS, Anomaly
from components.example_gen.validation.config import CheckLevel, ValidationConfig
from components.io.image_digests import DIGEST_DTYPE, image_digests

ENTRY_DTYPE = np.dtype([("digest", DIGEST_DTYPE), ("label", np.int32), ("level", np.int16)])
"""22 bytes per image. `level` is the gray level, or the highest of the three channels, of an image whose
pixels are all equal, and -1 for other images."""


def image_entries(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> NDArray[np.void]:
    """Return the entry of each raw image, uint8 [batch, height, width(, 3)], with its label: ENTRY_DTYPE [batch]."""
    entries = np.empty(len(images), ENTRY_DTYPE)
    entries["digest"], entries["label"] = image_digests(images), labels
    pixels = images.reshape(len(images), -1, *images.shape[3:])
    brightest, darkest = pixels.max(axis=1), pixels.min(axis=1)
    constant, level = brightest == darkest, brightest
    if images.ndim == 4:
        constant, level = constant.all(axis=1), level.max(axis=1)
    entries["level"] = np.where(constant, level, np.int16(-1))
    return entries


class ImageIndex:
    """Digest and label of every image, and which images are constant, collected while the images are written.

    The *position* of an image counts through train, then validation, then test.
    """

    def __init__(self) -> None:
        self._pieces: dict[str, list[NDArray[np.void]]] = {name: [] for name in SPLITS}

    def add(self, split: str, entries: NDArray[np.void]) -> None:
        """Add the entries of the next images of a split."""
        self._pieces[split].append(entries)

    def entries(self) -> NDArray[np.void]:
        """Return the entries of all images, by position: ENTRY_DTYPE [images]."""
        return np.concatenate([np.empty(0, ENTRY_DTYPE), *(piece for name in SPLITS for piece in self._pieces[name])])

    def locate(self, positions: NDArray[np.int64]) -> pd.DataFrame:
        """Return the `split` of each position, and its `row` in that split."""
        starts = np.cumsum([0, *(sum(map(len, pieces)) for pieces in self._pieces.values())])
        splits = np.searchsorted(starts[1:], positions, side="right")
        return pd.DataFrame({"split": np.array(SPLITS)[splits], "row": positions - starts[splits]})


def check_images(
    index: ImageIndex, config: ValidationConfig, class_names: Sequence[str]
) -> Iterator[tuple[Anomaly, pd.DataFrame]]:
    """Yield the anomalies of all images, except those with level `off`.

    Each is with its images: their `split`, `row` in it, and `group` of equal images.
    """
    if not config.needs_images:
        return
    entries = index.entries()
    positions, groups = find_duplicates(entries["digest"])
    constant = np.flatnonzero(entries["level"] >= 0)
    group_of = pd.Series(groups, positions, dtype="Int64")
    images = index.locate(constant).assign(group=group_of.reindex(constant).array)
    found = [("constant_images", _describe_constant(entries["level"][constant]), images)]
    duplicates = index.locate(positions).assign(group=groups, label=entries["label"][positions])
    by_group = duplicates.groupby("group")
    within = duplicates.groupby(["group", "split"])["row"].transform("size") > 1
    across, conflicting = by_group["split"].transform("nunique") > 1, by_group["label"].transform("nunique") > 1
    first_group = duplicates[duplicates["group"] == duplicates.loc[conflicting, "group"].min()]
    labels = " and ".join(f"`{class_names[label]}`" for label in sorted(set(first_group["label"]))[:2])
    for check, affected, equal_to in (
        ("duplicates_within_split", within, "another one of their split"),
        ("duplicates_across_splits", across, "one of another split"),
        ("conflicting_labels", conflicting, f"one with another label, such as {labels}"),
    ):
        message = f"{format_images(int(affected.sum()))} are equal to {equal_to}"
        found.append((check, message, duplicates[affected]))
    for check, message, images in found:
        level: CheckLevel = getattr(config, check)
        if level != "off" and not images.empty:
            counts = images["split"].value_counts()
            by_split = ", ".join(f"{counts[split]:,} in {split}" for split in SPLITS if split in counts)
            first = images.head(20)  # the manifest names these
            named = tuple(first["split"] + "/" + first["row"].astype(str))
            message = f"{message}: {by_split}"
            yield Anomaly(check=check, level=level, message=message, count=len(images), examples=named), images


def find_duplicates(digests: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of all digests that occur more than once, and the group of each, sorted by group.

    Groups of equal digests are numbered from 1, in the order of their first positions; in a group positions ascend.
    """
    # Sorting takes a quarter of the memory of pandas's groupby.
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
        parts.append(f"{format_images(gray)} {'has' if gray == 1 else 'have'} one value, not 0, in every pixel")
    return ", and ".join(parts)
