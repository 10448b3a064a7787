"""Images in color or grayscale from each source: what is kept, what is converted, and what is stated."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from components import Context, ExampleGen, Examples, Stored
from components.base.errors import DataError
from components.example_gen import ExampleGenConfig
from components.example_gen.sources import AnySource, CsvSource, DigitsSource, IdxSource, ImageFolderSource
from components.io.conversion import Channels, gray_levels, repeat_gray
from tests.support.data import load, squares, write_idx

Images = NDArray[np.uint8]


def colored(count: int, *, classes: int = 3, size: int = 12) -> tuple[Images, NDArray[np.int64]]:
    """Return images whose classes differ in the color of a square."""
    _, labels = squares(count, classes=classes, size=size)
    images = np.random.default_rng(0).integers(0, 60, (count, size, size, 3), dtype=np.uint8)
    images[:, 3:9, 3:9] = np.array([(200, 0, 0), (0, 102, 0), (0, 0, 255)], np.uint8)[labels % 3, None, None]
    return images, labels


def write_folder(folder: Path, images: Images, labels: NDArray[np.int64]) -> ImageFolderSource:
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / str(label) / f"{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return ImageFolderSource(path=folder, size=images.shape[1])


def write_table(folder: Path, images: Images, labels: NDArray[np.int64]) -> CsvSource:
    folder.mkdir()
    table = np.column_stack([labels, images.reshape(len(images), -1)])
    np.savetxt(folder / "images.csv", table, fmt="%d", delimiter=",")
    return CsvSource(path=folder / "images.csv", classes=3)


def write_idx_files(folder: Path, images: Images, labels: NDArray[np.int64], ending: str = "") -> IdxSource:
    folder.mkdir()
    write_idx(folder / f"train-images-idx{images.ndim}-ubyte{ending}", images)
    write_idx(folder / f"train-labels-idx1-ubyte{ending}", labels)
    return IdxSource(path=folder, classes=3)


def write_compressed_idx_files(folder: Path, images: Images, labels: NDArray[np.int64]) -> IdxSource:
    return write_idx_files(folder, images, labels, ".gz")


@pytest.mark.parametrize("write", [write_folder, write_table, write_idx_files, write_compressed_idx_files])
@pytest.mark.parametrize("in_color", [False, True])
@pytest.mark.parametrize("channels", ["auto", 1, 3])
def test_every_source_has_the_requested_channels(
    tmp_path: Path, write: Callable[[Path, Images, NDArray[np.int64]], AnySource], in_color: bool, channels: Channels
) -> None:
    images, labels = colored(9)
    if not in_color:
        images = images[..., 0]
    order = np.argsort(labels, kind="stable")  # that of folders
    source = write(tmp_path / "data", images[order], labels[order])
    dataset = load(source.model_copy(update={"channels": channels}))
    expected = images[order]
    if channels == 1 and in_color:
        expected = gray_levels(expected)
    elif channels == 3 and not in_color:
        expected = repeat_gray(expected)
    np.testing.assert_array_equal(dataset.train.images, expected)
    np.testing.assert_array_equal(dataset.train.labels, labels[order])


def test_color_in_one_set_gives_both_three_channels(tmp_path: Path) -> None:
    images, labels = colored(9)
    train = write_folder(tmp_path / "train", images[..., 0], labels)
    test = write_folder(tmp_path / "test", images, labels)
    dataset = load(train.model_copy(update={"test_path": test.path}))
    assert dataset.test is not None
    assert dataset.train.images.shape == dataset.test.images.shape == (9, 12, 12, 3)


def test_idx_images_of_four_channels_raise_data_error(tmp_path: Path) -> None:
    images, labels = colored(9)
    source = write_idx_files(tmp_path / "data", np.concatenate([images, images[..., :1]], axis=-1), labels)
    with pytest.raises(DataError, match="train-images-idx4-ubyte has images of 4 channels"):
        load(source)


def generate(output: Path, source: AnySource, *, baseline: Stored[Examples] | None = None) -> Examples:
    output.mkdir()
    config = ExampleGenConfig(source=source, baseline=None if baseline is None else "other")
    return ExampleGen(config).run(Context(output=output), baseline=baseline)


def test_examples_in_color_state_their_statistics(tmp_path: Path) -> None:
    images, labels = colored(60)
    examples = generate(tmp_path / "out", write_folder(tmp_path / "data", images, labels))
    frame = pd.read_parquet(tmp_path / "out" / "train/00000.parquet")
    stored = np.stack([image.reshape(12, 12, 3) for image in frame["image"]])
    assert {image.tobytes() for image in stored} <= {image.tobytes() for image in images}
    split = examples.splits.train
    assert examples.image_shape == (12, 12, 3)
    assert examples.source.conversion == ""
    assert split.pixel_mean == pytest.approx(stored.mean(), rel=1e-12)
    assert split.pixel_std == pytest.approx(stored.std(), rel=1e-9)
    levels = [np.histogram(stored[..., channel], bins=16, range=(0, 256))[0] for channel in range(3)]
    assert list(split.pixel_histogram) == np.concatenate(levels).tolist()


def test_conversion_is_stated_and_part_of_the_identity(tmp_path: Path) -> None:
    source = write_folder(tmp_path / "data", *colored(60)).model_copy(update={"size": 10})
    examples = generate(tmp_path / "out", source.model_copy(update={"channels": 1}))
    assert examples.source.conversion == "converted to grayscale, resized from 12x12 to 10x10"
    assert examples.source.identity["channels"] == "1"
    identities = [
        ExampleGen(ExampleGenConfig(source=DigitsSource(channels=channels))).identity() for channels in (1, 3)
    ]
    assert identities[0] != identities[1]


def test_color_decides_which_images_are_equal_or_constant(tmp_path: Path) -> None:
    images, labels = colored(60)
    images[0], images[1], images[3, ..., 0] = (0, 90, 0), 0, 7
    images[5] = images[2][..., ::-1]  # differs in color only
    examples = generate(tmp_path / "out", write_folder(tmp_path / "data", images, labels))
    (anomaly,) = examples.anomalies
    assert anomaly.message.startswith(
        "1 image is empty, every pixel 0, and 1 image has one value, not 0, in every pixel"
    )


def test_exchanged_channels_drift(tmp_path: Path) -> None:
    images, labels = colored(60)
    images[..., 2] //= 4
    examples = generate(tmp_path / "a", write_folder(tmp_path / "one", images, labels))
    stored = Stored(examples, tmp_path / "a")
    exchanged = write_folder(tmp_path / "two", images[..., ::-1], labels)
    drift = generate(tmp_path / "b", exchanged, baseline=stored).drift
    assert drift is not None
    assert {measure.of for measure in drift.measures if measure.drifted and measure.split == "train"} == {"pixels"}
    anomalies = generate(tmp_path / "c", exchanged.model_copy(update={"channels": 1}), baseline=stored).anomalies
    assert any("the images are 12x12, and those of the baseline 12x12x3" in anomaly.message for anomaly in anomalies)
