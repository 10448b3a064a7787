"""ExampleGen: stratified and official splits, and statistics compared with the files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from components import Context, ExampleGen, Examples
from components.base.errors import ConfigError, DataError
from components.example_gen import ExampleGenConfig
from components.example_gen.sources import AnySource, CsvSource, DigitsSource, IdxSource, ImageFolderSource
from components.example_gen.split import SplitConfig
from tests.support.data import squares, write_csv, write_idx, write_idx_folder, write_image_folder


def generate(output: Path, source: AnySource, *, seed: int = 0, **split: object) -> Examples:
    output.mkdir(exist_ok=True)
    config = ExampleGenConfig(source=source, split=SplitConfig.model_validate(split), seed=seed)
    return ExampleGen(config).run(Context(output=output))


def read(output: Path, split: str) -> pd.DataFrame:
    return pd.read_parquet(output / split)


def test_every_digit_is_in_one_split_and_classes_in_proportion(tmp_path: Path) -> None:
    examples = generate(tmp_path, DigitsSource())
    frames = {split: read(tmp_path, split) for split in ("train", "validation", "test")}
    assert {split: len(frame) for split, frame in frames.items()} == {"train": 1347, "validation": 180, "test": 270}
    assert sorted(pd.concat(frames.values())["id"]) == sorted(f"train/{row}" for row in range(1797))
    for _, split in examples.splits.items():  # noqa: PERF102  (not a dict)
        fractions = np.array(split.label_counts) / split.count
        np.testing.assert_allclose(fractions, 0.1, atol=0.01)
    assert examples.source.title == "scikit-learn digits, 8x8 resized to 28x28"


def test_statistics_match_the_files(tmp_path: Path) -> None:
    examples = generate(tmp_path, DigitsSource())
    for name, split in examples.splits.items():
        frame = read(tmp_path, name)
        pixels = np.stack(frame["image"].to_list())
        assert pixels.dtype == np.uint8
        assert split.count == len(frame)
        assert list(split.label_counts) == frame["label"].value_counts().sort_index().to_list()
        assert split.pixel_mean == pytest.approx(pixels.mean(), rel=1e-12)
        assert split.pixel_std == pytest.approx(pixels.std(), rel=1e-9)
    assert examples.image_shape == (28, 28, 1)


def test_official_keeps_the_test_set(tmp_path: Path) -> None:
    source = IdxSource(path=write_idx_folder(tmp_path / "idx", train=200, test=100))
    examples = generate(tmp_path / "out", source, strategy="official", validation=0.2)
    frames = {split: read(tmp_path / "out", split) for split in ("train", "validation", "test")}
    assert [split.count for _, split in examples.splits.items()] == [160, 40, 100]
    assert sorted(frames["test"]["id"]) == sorted(f"test/{row}" for row in range(100))
    images: NDArray[np.uint8] = squares(100, seed=1)[0]
    for row, image in zip(frames["test"]["id"], frames["test"]["image"], strict=True):
        np.testing.assert_array_equal(image.reshape(28, 28), images[int(row.removeprefix("test/"))])


def test_stratified_pools_train_and_test_sets(tmp_path: Path) -> None:
    source = IdxSource(path=write_idx_folder(tmp_path / "idx", train=200, test=100))
    examples = generate(tmp_path / "out", source, validation=0.1, test=0.2)
    assert [split.count for _, split in examples.splits.items()] == [210, 30, 60]
    assert {row.partition("/")[0] for row in read(tmp_path / "out", "train")["id"]} == {"train", "test"}


def test_split_depends_on_seed(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate(tmp_path / name, DigitsSource(), seed=seed)
    ids = {name: read(tmp_path / name, "test")["id"].to_list() for name in "abc"}
    assert ids["a"] == ids["b"]
    assert set(ids["a"]) != set(ids["c"])


def test_identity_does_not_depend_on_path(tmp_path: Path) -> None:
    generators = [
        ExampleGen(ExampleGenConfig(source=IdxSource(path=write_idx_folder(tmp_path / name)))) for name in "ab"
    ]
    assert generators[0].config != generators[1].config
    assert generators[0].identity() == generators[1].identity()


def test_official_without_test_set_raises_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`official` needs a source with a test set"):
        generate(tmp_path, DigitsSource(), strategy="official")


def test_class_may_miss_in_test_set_only_if_stratified(tmp_path: Path) -> None:
    folder = write_idx_folder(tmp_path / "idx", train=200, test=90)
    images, labels = squares(100, seed=1)
    write_idx(folder / "t10k-images-idx3-ubyte", images[labels != 9])
    write_idx(folder / "t10k-labels-idx1-ubyte", labels[labels != 9])
    generate(tmp_path / "pooled", IdxSource(path=folder))
    with pytest.raises(DataError, match="there is no image of class 9 in one of its sets"):
        generate(tmp_path / "official", IdxSource(path=folder), strategy="official")


def test_artifact_does_not_depend_on_path(tmp_path: Path) -> None:
    examples = [generate(tmp_path / f"out-{name}", IdxSource(path=write_idx_folder(tmp_path / name))) for name in "ab"]
    assert examples[0] == examples[1]


def test_class_of_one_image_raises_data_error(tmp_path: Path) -> None:
    write_image_folder(tmp_path / "images", per_class=9)
    for path in sorted((tmp_path / "images" / "1").iterdir())[1:]:
        path.unlink()
    with pytest.raises(DataError, match="class `1` has 1 image, too few for train, validation and test"):
        generate(tmp_path / "out", ImageFolderSource(path=tmp_path / "images", size=12))


def test_class_missing_in_a_split_raises_data_error(tmp_path: Path) -> None:
    write_image_folder(tmp_path / "images", classes=2, per_class=40)
    for path in sorted((tmp_path / "images" / "1").iterdir())[3:]:
        path.unlink()
    with pytest.raises(DataError, match="class `1` has 3 images, too few for one in"):
        generate(tmp_path / "out", ImageFolderSource(path=tmp_path / "images", size=12), validation=0.1, test=0.1)


def test_split_with_fewer_images_than_classes_raises(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="validation split of 0.1 of 60 images has 6"):
        generate(tmp_path, CsvSource(path=write_csv(tmp_path / "x.csv", count=60)), test=0.2)


@pytest.mark.parametrize(
    ("labels", "message"), [([0, 1, 3] * 10, "there is no image of class 2"), ([0, 1, 2, 7] * 10, "has the label 7")]
)
def test_missing_or_too_large_label_raises_data_error(tmp_path: Path, labels: list[int], message: str) -> None:
    folder = write_idx_folder(tmp_path / "idx", train=len(labels), test=0)
    write_idx(folder / "train-labels-idx1-ubyte", np.array(labels))
    with pytest.raises(DataError, match=message):
        generate(tmp_path / "out", IdxSource(path=folder, classes=4))
