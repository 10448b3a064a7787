"""Differences between the images and labels of two data sets, found by the digests of the images."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from components.artifacts import ChangedImage, DataChanges, Examples, SplitChanges, Stored
from components.io.image_digests import image_digests
from components.io.splits import MAX_GROUP_ROWS, iterate_examples, read_ids

MAX_IMAGES_LISTED = 100
"""Maximum number of listed images of each kind and split; all are counted."""

Key = TypeVar("Key", bound=Hashable)
LabelledDigest = tuple[bytes, int]


def compare_examples(first: Stored[Examples], second: Stored[Examples], splits: Iterable[str]) -> DataChanges:
    """Compare splits of two data sets; an image that occurs several times in a split counts as often."""
    changes: dict[str, SplitChanges] = {}
    all_removed: list[LabelledDigest] = []
    all_added: list[LabelledDigest] = []
    for name in splits:
        before, after = _digests(first, name), _digests(second, name)
        _, removed, added = _match(before, after)
        # The label may be all that differs.
        pairs, gone, new = _match([before[row][0] for row in removed], [after[row][0] for row in added])
        relabelled = [(removed[one], added[other]) for one, other in pairs]
        removed, added = [removed[place] for place in gone], [added[place] for place in new]
        all_removed += (before[row] for row in removed)
        all_added += (after[row] for row in added)
        changes[name] = SplitChanges(
            added=len(added),
            removed=len(removed),
            relabelled=len(relabelled),
            added_images=_list_images(second, name, {row: (after[row][1], None) for row in added}),
            removed_images=_list_images(first, name, {row: (before[row][1], None) for row in removed}),
            relabelled_images=_list_images(
                first, name, {row: (before[row][1], after[other][1]) for row, other in relabelled}
            ),
        )
    return DataChanges(splits=changes, moved=len(_match(all_removed, all_added)[0]))


def _digests(examples: Stored[Examples], split: str) -> list[LabelledDigest]:
    digests: list[LabelledDigest] = []
    for batch in iterate_examples(examples, getattr(examples.artifact.splits, split), rows=MAX_GROUP_ROWS):
        digests += zip(image_digests(batch.images).tolist(), batch.labels.tolist(), strict=True)
    return digests


def _match(before: Sequence[Key], after: Sequence[Key]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pair equal keys, each once; return the pairs of their places, and the places of the rest on both sides."""
    places: defaultdict[Key, list[int]] = defaultdict(list)
    for place in reversed(range(len(before))):
        places[before[place]].append(place)
    pairs, added = [], []
    for place, key in enumerate(after):
        if places.get(key):
            pairs.append((places[key].pop(), place))
        else:
            added.append(place)
    return pairs, sorted(place for rest in places.values() for place in rest), added


def _list_images(
    examples: Stored[Examples], split: str, labels: dict[int, tuple[int, int | None]]
) -> tuple[ChangedImage, ...]:
    rows = sorted(labels)[:MAX_IMAGES_LISTED]
    return tuple(
        ChangedImage(id=name, row=row, label=labels[row][0], label_after=labels[row][1])
        for row, name in zip(
            rows,
            read_ids(examples, getattr(examples.artifact.splits, split), np.array(rows, dtype=np.int64)),
            strict=True,
        )
    )
