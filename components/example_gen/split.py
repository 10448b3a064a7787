"""Stratified shuffling of rows into train, validation and test, every class in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import train_test_split

from components.artifacts import SPLITS
from components.base.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def split_rows(
    labels: NDArray[np.int64], sizes: dict[str, float], *, seed: int, class_names: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    """Shuffle rows into splits that have each class in the same proportion.

    Args:
        labels: int64 [rows].
        sizes: for each split but `train`, its share of all rows, above 0; `train` has the rest.
        seed: decides the shuffle.
        class_names: to name a class that is too small.

    Returns:
        For `train` and each split of `sizes`, its row numbers, shuffled; int64.

    Raises:
        DataError: if a class has fewer images than there are splits, or a split would have
            fewer images than there are classes.
    """
    counts = np.bincount(labels, minlength=len(class_names))
    wanted = [name for name in SPLITS if name == "train" or name in sizes]
    if (smallest := int(counts.min())) < len(wanted):
        raise DataError(
            f"class `{class_names[int(counts.argmin())]}` has {smallest} image{'' if smallest == 1 else 's'}, "
            f"too few to stand in {', '.join(wanted[:-1])} and {wanted[-1]}",
            expected=f"at least {len(wanted)} images of every class",
            remedy="add images of that class, or take the class away",
        )
    rows = np.arange(len(labels), dtype=np.int64)
    splits: dict[str, NDArray[np.int64]] = {}
    for name, share in sizes.items():
        count = round(share * len(labels))
        if not len(class_names) <= count <= len(rows) - len(class_names):
            raise DataError(
                f"a {name} split of {share:g} of {len(labels)} images has {count}, "
                f"which leaves some of the {len(class_names)} classes out",
                expected="at least one image a class in every split",
                remedy=f"change example_gen.split.{name}, or add images",
            )
        rows, splits[name] = train_test_split(rows, test_size=count, stratify=labels[rows], random_state=seed)
    splits = {"train": rows, **splits}
    for name, chosen in splits.items():
        present = np.bincount(labels[chosen], minlength=len(class_names))
        if not present.all():
            missing = int(present.argmin())
            raise DataError(
                f"class `{class_names[missing]}` has {counts[missing]} images, so few that {name} gets none of them",
                expected="at least one image a class in every split",
                remedy=f"add images of that class, or enlarge example_gen.split.{name}",
            )
    return splits
