"""Images added, removed and relabelled between two data sets, found pixel by pixel."""

from pathlib import Path

import numpy as np

from components import Stored
from components.artifacts import SPLITS, Examples, ExamplesShard, ExamplesSplit, Source, Splits
from components.io.image_changes import MAX_IMAGES_LISTED, compare_examples
from components.io.splits import examples_frame, examples_writer, read_images

IMAGES = np.random.default_rng(0).integers(0, 256, (600, 4, 4), dtype=np.uint8)
Rows = list[tuple[int, int]]
"""The number of an image, and its label."""


def stored(folder: Path, train: Rows, validation: Rows, test: Rows) -> Stored[Examples]:
    folder.mkdir()
    splits = {}
    for name, rows in zip(SPLITS, (train, validation, test), strict=True):
        numbers, labels = np.array(rows).T
        with examples_writer(folder / f"{name}.parquet", 16) as write:
            write(examples_frame(IMAGES[numbers], labels, [f"source/{number}" for number in numbers]))
        splits[name] = ExamplesSplit(
            shards=(ExamplesShard(file=f"{name}.parquet", count=len(rows)),),
            count=len(rows),
            label_counts=tuple(int((labels == label).sum()) for label in range(2)),
            pixel_mean=0,
            pixel_std=0,
            pixel_histogram=(0,) * 16,
            ink_histogram=(0,) * 20,
        )
    examples = Examples(
        source=Source(kind="made", title="noise", identity={}),
        image_shape=(4, 4, 1),
        class_names=("a", "b"),
        strategy="made",
        seed=0,
        splits=Splits[ExamplesSplit](**splits),
    )
    return Stored(examples, folder)


def test_counts_changes_of_each_split(tmp_path: Path) -> None:
    first = stored(tmp_path / "first", [(0, 0), (1, 1), (2, 0), (3, 1)], [(4, 0)], [(5, 1), (6, 0)])
    second = stored(tmp_path / "second", [(3, 1), (1, 0), (4, 0), (7, 1)], [(2, 0)], [(6, 0), (5, 1)])
    changes = compare_examples(first, second, SPLITS)
    train, validation, test = (changes.splits[name] for name in SPLITS)
    assert (train.added, train.removed, train.relabelled) == (2, 2, 1)
    assert [image.id for image in train.added_images] == ["source/4", "source/7"]
    assert [image.id for image in train.removed_images] == ["source/0", "source/2"]
    (relabelled,) = train.relabelled_images
    assert (relabelled.id, relabelled.row, relabelled.label, relabelled.label_after) == ("source/1", 1, 1, 0)
    assert (validation.added, validation.removed, validation.relabelled) == (1, 1, 0)
    assert (test.added, test.removed, test.relabelled) == (0, 0, 0), "another order is no change"
    assert changes.moved == 2, "2 and 4 only changed their split; 0 was removed, 7 was added"


def test_image_that_is_there_twice_counts_twice(tmp_path: Path) -> None:
    first = stored(tmp_path / "first", [(0, 0), (0, 0), (1, 1)], [(2, 0)], [(3, 0)])
    second = stored(tmp_path / "second", [(0, 0), (1, 1), (0, 1)], [(2, 0)], [(3, 0)])
    train = compare_examples(first, second, ["train"]).splits["train"]
    assert (train.added, train.removed, train.relabelled) == (0, 0, 1)


def test_lists_the_first_images_and_counts_all(tmp_path: Path) -> None:
    count = MAX_IMAGES_LISTED + 50
    same: Rows = [(599, 0)]
    first = stored(tmp_path / "first", same, same, same)
    second = stored(tmp_path / "second", [(number, number % 2) for number in range(count)], same, same)
    train = compare_examples(first, second, ["train"]).splits["train"]
    assert (train.added, len(train.added_images)) == (count, MAX_IMAGES_LISTED)
    last = train.added_images[-1]
    (image,) = read_images(second, second.artifact.splits.train, np.array([last.row]))
    assert np.array_equal(image, IMAGES[last.row])
