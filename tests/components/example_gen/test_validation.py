"""Validation of images and labels: every planted anomaly is detected, and nothing else."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from components import Context, ExampleGen, Examples
from components.artifacts import Anomaly
from components.artifacts.examples import Source
from components.base.errors import DataError
from components.io.splits import MAX_GROUP_ROWS
from components.testing.contract import make_inputs
from tests.support.data import IDX_NAMES, WarningRecorder, squares, write_idx

LISTED = ["constant_images", "duplicates_within_split", "duplicates_across_splits", "conflicting_labels"]


@dataclass
class PlantedData:
    """Images and labels of a training and a test set, in which anomalies can be planted."""

    train: NDArray[np.uint8] = field(default_factory=lambda: squares(200, seed=0)[0])
    test: NDArray[np.uint8] = field(default_factory=lambda: squares(100, seed=1)[0])
    train_labels: NDArray[np.int64] = field(default_factory=lambda: squares(200)[1])
    test_labels: NDArray[np.int64] = field(default_factory=lambda: squares(100)[1])

    def write(self, folder: Path) -> Path:
        folder.mkdir()
        for part, images, labels in (("train", self.train, self.train_labels), ("test", self.test, self.test_labels)):
            write_idx(folder / IDX_NAMES[part][0], images)
            write_idx(folder / IDX_NAMES[part][1], labels)
        return folder


def generate(tmp_path: Path, data: PlantedData, *, recorder: WarningRecorder | None = None, **config: Any) -> Examples:
    """Make examples in `tmp_path / "out"`; the test set stays the test set, unless `config` says otherwise."""
    output = tmp_path / "out"
    output.mkdir(parents=True)
    folder, classes = data.write(tmp_path / "idx"), int(data.train_labels.max()) + 1
    source = {"kind": "idx", "path": folder, "classes": classes}
    values = {"source": source, "split": {"strategy": "official"}, **config}
    context = Context(output=output, progress=recorder or WarningRecorder())
    return ExampleGen(ExampleGen.Config.model_validate(values)).run(context)


def found(examples: Examples) -> dict[str, Anomaly]:
    return {anomaly.check: anomaly for anomaly in examples.anomalies}


def listing(tmp_path: Path) -> pd.DataFrame:
    return pd.read_csv(tmp_path / "out" / "anomalies.csv", dtype={"group": "Int64"})


def splits(tmp_path: Path) -> pd.DataFrame:
    """Return every image with its split, row and pixels, read from the files."""
    names = ("train", "validation", "test")
    frames = [pd.read_parquet(tmp_path / "out" / name).assign(split=name) for name in names]
    frame = pd.concat([frame.rename_axis("row").reset_index() for frame in frames], ignore_index=True)
    return frame.assign(image=[bytes(np.asarray(image, dtype=np.uint8)) for image in frame["image"]])


@pytest.mark.parametrize("strategy", ["official", "stratified"])
def test_valid_data_has_no_anomaly(tmp_path: Path, strategy: str) -> None:
    recorder = WarningRecorder()
    examples = generate(tmp_path, PlantedData(), recorder=recorder, split={"strategy": strategy})
    assert examples.anomalies == ()
    assert examples.anomalies_file is None
    assert not (tmp_path / "out" / "anomalies.csv").exists()
    assert recorder.warnings == []


def test_constant_images_are_empty_or_gray(tmp_path: Path) -> None:
    data = PlantedData()
    data.test[[3, 8]] = 0
    data.test[5] = 255
    data.test[6] = 255
    data.test[6, 0, 0] = 254
    anomaly = found(generate(tmp_path, data))["constant_images"]
    assert anomaly.message == (
        "2 images are empty, every pixel 0, and 1 image has one value, not 0, in every pixel: 3 in test"
    )
    assert anomaly.count == 3
    rows = listing(tmp_path).query("check == 'constant_images'")
    assert sorted(rows["id"]) == ["test/3", "test/5", "test/8"]
    # The two empty images are equal to each other; the gray one has no duplicate.
    assert dict(zip(rows["id"], rows["group"].fillna(0), strict=True)) == {"test/3": 1, "test/8": 1, "test/5": 0}


def test_duplicate_within_split_has_both_rows(tmp_path: Path) -> None:
    data = PlantedData()
    data.test[17] = data.test[7]  # both of class 7
    examples = generate(tmp_path, data)
    (anomaly,) = examples.anomalies
    assert (anomaly.check, anomaly.level, anomaly.count) == ("duplicates_within_split", "note", 2)
    assert anomaly.message == "2 images are equal to another one of their split: 2 in test"
    frame = splits(tmp_path).query("split == 'test'").set_index("row")
    assert {frame.loc[int(place.removeprefix("test/")), "id"] for place in anomaly.examples} == {"test/7", "test/17"}


def test_duplicate_across_splits_has_all_rows(tmp_path: Path) -> None:
    data = PlantedData()
    data.test[[17, 27]] = data.train[7]
    examples = generate(tmp_path, data)
    anomaly = found(examples)["duplicates_across_splits"]
    assert (anomaly.level, anomaly.count) == ("warning", 3)
    assert anomaly.message.startswith("3 images are equal to one of another split: 1 in ")
    rows = listing(tmp_path).query("check == 'duplicates_across_splits'")
    assert set(rows["id"]) == {"train/7", "test/17", "test/27"}
    assert set(rows["group"]) == {1}
    assert "conflicting_labels" not in found(examples)


def test_equal_images_with_different_labels_conflict(tmp_path: Path) -> None:
    data = PlantedData()
    data.test[18] = data.test[7]
    anomaly = found(generate(tmp_path, data))["conflicting_labels"]
    assert anomaly.message == "2 images are equal to one with another label, such as `7` and `8`: 2 in test"
    assert set(listing(tmp_path).query("check == 'conflicting_labels'")["id"]) == {"test/7", "test/18"}


@pytest.mark.parametrize("strategy", ["official", "stratified"])
def test_list_equals_comparison_of_all_pairs_of_images(tmp_path: Path, strategy: str) -> None:
    data, random = PlantedData(), np.random.default_rng(0)
    for images in (data.train, data.test):
        taken = random.choice(len(images), 40, replace=False)
        images[taken] = data.train[random.integers(0, 12, 40)]
    data.test[:3] = 0
    examples = generate(tmp_path, data, split={"strategy": strategy})
    frame = splits(tmp_path)
    by_image = frame.groupby("image")
    affected = {
        "constant_images": frame["image"].map(lambda image: len(set(image)) == 1),
        "duplicates_within_split": frame.groupby(["image", "split"])["id"].transform("count") > 1,
        "duplicates_across_splits": by_image["split"].transform("nunique") > 1,
        "conflicting_labels": by_image["label"].transform("nunique") > 1,
    }
    rows = listing(tmp_path)
    place = ["split", "row", "id"]
    for check, chosen in affected.items():
        listed = rows[rows["check"] == check]
        expected = frame.loc[chosen, place]
        assert sorted(listed[place].itertuples(index=False)) == sorted(expected.itertuples(index=False)), check
        assert found(examples)[check].count == len(expected)
        first = [f"{split}/{row}" for split, row in zip(listed["split"], listed["row"], strict=True)][:20]
        assert list(found(examples)[check].examples) == first
    # A group of equal images has one number in all checks; numbers are in the order of the first images.
    several = frame[by_image["id"].transform("count") > 1]
    numbered = several.assign(number=several.groupby("image", sort=False).ngroup() + 1)
    together = rows.merge(numbered, on=place)
    assert (together["group"] == together["number"]).all()
    assert len(together) == len(rows)
    for check in LISTED[1:]:
        numbers = rows.loc[rows["check"] == check, "group"]
        assert numbers.is_monotonic_increasing, check


def test_anomalies_do_not_depend_on_memory_budget(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = np.zeros((20_000, 28, 28), dtype=np.uint8)
    images[:, 9:12] = random.integers(0, 256, (20_000, 3, 28), dtype=np.uint8)
    images[random.choice(20_000, 50, replace=False)] = images[:5].repeat(10, axis=0)
    gray = random.choice(20_000, 5, replace=False)
    images[gray] = 9
    data = PlantedData(train=images, train_labels=np.arange(20_000) % 10)
    data.test[:10] = images[:10]
    results = []
    for budget in (16 * 10**6, 10**9):  # two buckets a split, and one
        folder = tmp_path / str(budget)
        folder.mkdir()
        examples = generate(folder, data, memory_budget=budget)
        results.append((examples, (folder / "out" / "anomalies.csv").read_bytes()))
    assert results[0] == results[1]
    assert set(found(results[0][0])) == set(LISTED)
    rows = listing(folder).query("check == 'constant_images'")
    assert set(rows["id"]) == {f"train/{row}" for row in gray}
    assert rows["row"].max() > MAX_GROUP_ROWS, "all are in the first row group"


def test_class_imbalance_above_the_ratio_is_an_anomaly(tmp_path: Path) -> None:
    labels = np.array([0] * 90 + [1] * 60 + [2] * 30 + [3] * 20)
    data = PlantedData(train_labels=labels, test_labels=np.arange(100) % 4)
    for ratio, name in ((4.5, "at"), (3.0, "above")):
        checks = {"class_imbalance": {"ratio": ratio}}
        (tmp_path / name).mkdir()
        examples = generate(tmp_path / name, data, checks=checks, split={"strategy": "official", "validation": 0.1})
        assert examples.splits.train.label_counts == (81, 54, 27, 18)
        assert ("class_imbalance" in found(examples)) == (name == "above"), "4.5 is the ratio"
    anomaly = found(examples)["class_imbalance"]
    assert anomaly.message == ("class `0` has 81 training images and class `3` 18: the ratio is 4.50, and its limit 3")
    assert (anomaly.count, anomaly.examples, examples.anomalies_file) == (1, (), None)


def planted_twice() -> PlantedData:
    """Return images with two empty ones and one that is in two splits."""
    data = PlantedData()
    data.test[[4, 14]] = 0
    data.test[17] = data.train[7]
    return data


def test_level_off_skips_a_check(tmp_path: Path) -> None:
    examples = generate(tmp_path, planted_twice(), checks=dict.fromkeys(LISTED, "off"))
    assert examples.anomalies == ()
    assert examples.anomalies_file is None


def test_notes_are_not_printed_and_sort_after_warnings(tmp_path: Path) -> None:
    recorder = WarningRecorder()
    checks = {"constant_images": "note", "duplicates_within_split": "note", "duplicates_across_splits": "warning"}
    examples = generate(tmp_path, planted_twice(), recorder=recorder, checks=checks)
    assert [(anomaly.check, anomaly.level) for anomaly in examples.anomalies] == [
        ("duplicates_across_splits", "warning"),
        ("constant_images", "note"),
        ("duplicates_within_split", "note"),
    ]
    (warning,) = recorder.warnings
    places = ", ".join(examples.anomalies[0].examples)
    assert warning == f"{examples.anomalies[0].message} ({places})"


def test_error_ends_the_step_after_all_warnings(tmp_path: Path) -> None:
    recorder = WarningRecorder()
    with pytest.raises(DataError) as caught:
        generate(tmp_path, planted_twice(), recorder=recorder, checks={"duplicates_across_splits": "error"})
    assert [warning.partition(" are ")[0] for warning in recorder.warnings] == ["2 images", "2 images"]
    assert "equal to one of another split" in recorder.warnings[0]
    assert "empty" in recorder.warnings[1]
    error = caught.value
    assert "2 images are equal to one of another split: 1 in " in error.headline
    frame = splits(tmp_path)
    row = frame[frame["id"] == "train/7"].iloc[0]
    assert f"the first is row {row['row']} of {row['split']}, which is train/7 in the source" in error.headline
    assert error.remedy.startswith("correct the data, or set example_gen.checks.duplicates_across_splits to `warning`")


def test_identity_includes_checks_but_no_baseline_name() -> None:
    plain, named, strict = (
        ExampleGen(ExampleGen.Config.model_validate(values))
        for values in ({}, {"baseline": "latest-blessed"}, {"checks": {"constant_images": "error"}})
    )
    assert plain.identity() == named.identity() != strict.identity()
    assert (plain.references(), named.references()) == ({}, {"baseline": "latest-blessed"})
    assert json.loads(json.dumps(plain.identity()))["checks"]["constant_images"] == "warning"


@pytest.mark.parametrize(
    ("source", "kind", "identity", "reason"),
    [
        ({"kind": "digits"}, "digits", {"size": "8"}, ""),
        ({"kind": "digits"}, "idx", {}, "of another data set"),
        ({"kind": "tfds", "name": "mnist"}, "tfds", {"name": "mnist:3.0.1"}, ""),
        ({"kind": "tfds", "name": "mnist"}, "tfds", {"name": "fashion_mnist"}, "of another data set"),
        ({"kind": "tfds", "name": "mnist"}, "idx", {}, "of another data set"),
    ],
)
def test_drift_is_measured_from_the_same_data_set(
    tmp_path: Path, source: dict[str, str], kind: str, identity: dict[str, str], reason: str
) -> None:
    example_gen = ExampleGen(ExampleGen.Config.model_validate({"source": source}))
    examples = make_inputs(tmp_path)[Examples].artifact
    other = examples.model_copy(update={"source": Source(kind=kind, title="other", identity=identity)})
    assert example_gen.mismatch("baseline", other, {}) == reason
