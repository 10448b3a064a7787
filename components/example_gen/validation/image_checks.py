"""Checks of single images: constant images, duplicates, and conflicting labels."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.artifacts import SPLITS, Anomaly
from components.example_gen.validation.anomalies import Detection
from components.example_gen.validation.config import CheckLevel, ValidationConfig
from components.example_gen.validation.image_index import ImageIndex, find_duplicates

MAX_STATED_IMAGES = 20
"""Images of an anomaly that the manifest names."""


def check_images(index: ImageIndex, config: ValidationConfig, class_names: Sequence[str]) -> Iterator[Detection]:
    """Yield the anomalies of all images, except those with level `off`."""
    if not config.needs_images:
        return
    entries = index.entries()
    positions, groups = find_duplicates(entries["digest"])
    constant = np.flatnonzero(entries["level"] >= 0)
    group_of = pd.Series(groups, positions, dtype="Int64")
    images = index.locate(constant).assign(group=group_of.reindex(constant).array)
    yield from _detect(
        "constant_images", config.constant_images, _describe_constant(entries["level"][constant]), images
    )
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
        yield from _detect(check, getattr(config, check), message, duplicates[affected])


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


def _detect(check: str, level: CheckLevel, message: str, images: pd.DataFrame) -> Iterator[Detection]:
    """Yield the detection of an anomaly, if there are images and its level is not `off`."""
    if level == "off" or images.empty:
        return
    counts = images["split"].value_counts()
    by_split = ", ".join(f"{counts[split]:,} in {split}" for split in SPLITS if split in counts)
    first = images.head(MAX_STATED_IMAGES)
    anomaly = Anomaly(
        check=check,
        level=level,
        message=f"{message}: {by_split}",
        count=len(images),
        examples=tuple(first["split"] + "/" + first["row"].astype(str)),
    )
    yield Detection(anomaly=anomaly, setting=check, images=images)
