"""The IDX source: the four MNIST files, plain or gzip, and invalid files."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import Context
from components.base.errors import DataError
from components.example_gen import ExampleGen, ExampleGenConfig
from components.example_gen.sources import IdxSource
from tests.support.data import load, squares, write_idx, write_idx_folder
from tests.support.users import folder_for_all, ordinary_user

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
IMAGES_MAGIC = b"\0\0\x08\x03"


@pytest.mark.parametrize("gz", [False, True])
def test_reads_images_and_labels(tmp_path: Path, gz: bool) -> None:
    source = IdxSource(path=write_idx_folder(tmp_path, train=30, test=20, gz=gz))
    dataset = load(source)
    images, labels = squares(30, seed=0)
    assert dataset.test is not None
    np.testing.assert_array_equal(dataset.train.images, images)
    np.testing.assert_array_equal(dataset.train.labels, labels)
    np.testing.assert_array_equal(dataset.test.images, squares(20, seed=1)[0])


def test_has_no_test_set_without_test_files(tmp_path: Path) -> None:
    source = IdxSource(path=write_idx_folder(tmp_path, train=30, test=0))
    assert load(source).test is None


def test_finds_file_names_with_a_dot(tmp_path: Path) -> None:
    write_idx_folder(tmp_path, train=30, test=0)
    for name in (TRAIN_IMAGES, TRAIN_LABELS):
        (tmp_path / name).rename(tmp_path / name.replace("-idx", ".idx"))
    assert len(load(IdxSource(path=tmp_path)).train) == 30


def write_emnist(folder: Path, name: str = "emnist-letters", *, gz: bool = False) -> Path:
    """Write the four files of an EMNIST set: images transposed, labels from 1."""
    folder.mkdir(exist_ok=True)
    for split, count, seed in (("train", 52, 0), ("test", 26, 1)):
        images, labels = squares(count, classes=26, seed=seed)
        ending = ".gz" if gz else ""
        write_idx(folder / f"{name}-{split}-images-idx3-ubyte{ending}", images.transpose(0, 2, 1))
        write_idx(folder / f"{name}-{split}-labels-idx1-ubyte{ending}", labels + 1)
    return folder


@pytest.mark.parametrize("gz", [False, True])
def test_reads_letters_of_emnist(tmp_path: Path, gz: bool) -> None:
    source = IdxSource(path=write_emnist(tmp_path, gz=gz), classes=26, first_label=1, transpose=True)
    dataset = load(source)
    assert dataset.class_names == tuple(str(number) for number in range(1, 27))
    assert dataset.test is not None
    for split, count, seed in ((dataset.train, 52, 0), (dataset.test, 26, 1)):
        images, labels = squares(count, classes=26, seed=seed)
        np.testing.assert_array_equal(split.images, images)
        np.testing.assert_array_equal(split.labels, labels)


def test_transposed_images_may_be_wide(tmp_path: Path) -> None:
    stored = np.arange(200 * 6).astype(np.uint8).reshape(200, 2, 3)
    write_idx_folder(tmp_path, test=0)
    write_idx(tmp_path / TRAIN_IMAGES, stored)
    images = load(IdxSource(path=tmp_path, transpose=True)).train.images
    np.testing.assert_array_equal(images, stored.transpose(0, 2, 1))


@pytest.mark.parametrize(
    ("keys", "expected", "remedy"),
    [
        (
            {},
            "labels from 0 to 9",
            "or set example_gen.source.first_label: 1 and classes: 26; for EMNIST also transpose",
        ),
        ({"classes": 26}, "labels from 0 to 25", "first_label: 1 and classes: 26; for EMNIST also transpose: true"),
        (
            {"classes": 25, "first_label": 1, "transpose": True},
            "labels from 1 to 25",
            "set example_gen.source.classes: 26",
        ),
        ({"classes": 26, "first_label": 2}, "labels from 2 to 27", "first_label: 1 and classes: 26"),
    ],
)
def test_label_without_class_names_the_keys(tmp_path: Path, keys: dict[str, Any], expected: str, remedy: str) -> None:
    with pytest.raises(
        DataError, match=r"image \d+ of .*emnist-letters-train-labels-idx1-ubyte has the label"
    ) as caught:
        load(IdxSource(path=write_emnist(tmp_path), **keys))
    assert "its labels are 1 to 26" in caught.value.headline
    assert caught.value.expected == expected
    assert remedy in caught.value.remedy
    assert ("transpose" in caught.value.remedy) == ("transpose" not in keys)


def test_class_without_images_names_the_keys(tmp_path: Path) -> None:
    source = IdxSource(path=write_emnist(tmp_path / "data"), classes=27, transpose=True)
    (tmp_path / "output").mkdir()
    with pytest.raises(DataError, match="there is no image of class 0") as caught:
        ExampleGen(ExampleGenConfig(source=source)).run(Context(output=tmp_path / "output"))
    assert "first_label" in caught.value.remedy


def test_several_sets_in_a_folder_need_a_prefix(tmp_path: Path) -> None:
    write_emnist(tmp_path, "emnist-digits")
    write_emnist(tmp_path)
    keys: dict[str, Any] = {"path": tmp_path, "classes": 26, "first_label": 1, "transpose": True}
    with pytest.raises(DataError, match="2 data sets: emnist-digits, emnist-letters") as caught:
        load(IdxSource(**keys))
    assert "example_gen.source.prefix" in caught.value.remedy
    chosen = IdxSource(**keys, prefix="emnist-letters")
    assert len(load(chosen).train) == 52
    with pytest.raises(DataError, match="has no emnist-x-train-images-idx3-ubyte"):
        load(IdxSource(**keys, prefix="emnist-x"))
    write_idx_folder(tmp_path)
    assert len(load(IdxSource(path=tmp_path)).train) == 200, "the original names precede"
    (tmp_path / "emnist-letters-test-images-idx3-ubyte").unlink()
    with pytest.raises(DataError, match="has no emnist-letters-test-images-idx3-ubyte"):
        chosen.identity()


@pytest.mark.parametrize(("keys", "count"), [({}, 1), ({"transpose": False}, 0), ({"transpose": True}, 0)])
def test_warns_of_transposed_images(tmp_path: Path, keys: dict[str, Any], count: int) -> None:
    warnings = load(IdxSource(path=write_emnist(tmp_path), classes=26, first_label=1, **keys)).warnings
    assert len(warnings) == count
    assert all("set example_gen.source.transpose: true" in warning for warning in warnings)


def test_identity_depends_on_content_but_not_on_path(tmp_path: Path) -> None:
    here = IdxSource(path=write_idx_folder(tmp_path / "here"))
    there = IdxSource(path=write_idx_folder(tmp_path / "there"))
    other = IdxSource(path=write_idx_folder(tmp_path / "other", train=210))
    assert here.identity() == there.identity() != other.identity()


def change(name: str, edit: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Return a function that edits the content of a file in a folder."""

    def damage(folder: Path) -> None:
        (folder / name).write_bytes(edit((folder / name).read_bytes()))

    return damage


def labels_for_images(folder: Path) -> None:
    (folder / TRAIN_IMAGES).write_bytes((folder / TRAIN_LABELS).read_bytes())


def fewer_labels(folder: Path) -> None:
    write_idx(folder / TRAIN_LABELS, squares(10)[1])


def truncate_gzip(content: bytes) -> bytes:
    whole = gzip.compress(content)
    return whole[: len(whole) // 2]


def damage_gzip(content: bytes) -> bytes:
    whole = bytearray(gzip.compress(content))
    whole[len(whole) // 2] ^= 0xFF
    return bytes(whole)


def remove(name: str) -> Callable[[Path], None]:
    """Return a function that removes a file of a folder."""
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change(TRAIN_IMAGES, lambda content: content[:-100]), "states 200x28x28 bytes of data, but has 156700"),
        (change(TRAIN_LABELS, lambda content: content + b"\0"), "states 200 bytes of data, but has 201"),
        (change(TRAIN_IMAGES, lambda _: b"<html>404 Not Found</html>"), "begins with 0x3c68746d"),
        (labels_for_images, "begins with 0x00000801"),
        (change(TRAIN_IMAGES, lambda _: b""), "begins with 0x(nothing)"),
        (change(TRAIN_IMAGES, lambda _: IMAGES_MAGIC + struct.pack(">i", 5)), "ends within its header"),
        (change(TRAIN_IMAGES, lambda _: IMAGES_MAGIC + struct.pack(">3i", -1, 28, 28)), "-1x28x28"),
        (fewer_labels, "has 200 images but"),
        (change(TRAIN_IMAGES, truncate_gzip), "is a broken gzip file"),
        (change(TRAIN_IMAGES, damage_gzip), "is a broken gzip file"),
        (remove(TRAIN_LABELS), "has no train-labels-idx1-ubyte"),
        (remove("t10k-images-idx3-ubyte"), "has no t10k-images-idx3-ubyte"),
    ],
)
def test_invalid_file_raises_one_sentence(tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(write_idx_folder(tmp_path))
    with pytest.raises(DataError) as caught:
        load(IdxSource(path=tmp_path))
    assert message in caught.value.headline
    assert str(tmp_path) in caught.value.headline
    assert "\n" not in caught.value.headline
    assert caught.value.expected
    assert caught.value.remedy


@pytest.mark.parametrize("length", range(16))
def test_header_truncated_anywhere_raises_data_error(tmp_path: Path, length: int) -> None:
    path = write_idx_folder(tmp_path) / TRAIN_IMAGES
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match="ends within its header" if length >= 4 else "begins with"):
        load(IdxSource(path=tmp_path))


def test_images_without_pixels_raise_data_error(tmp_path: Path) -> None:
    (write_idx_folder(tmp_path) / TRAIN_IMAGES).write_bytes(IMAGES_MAGIC + struct.pack(">3i", 200, 0, 0))
    with pytest.raises(DataError, match="states 200x0x0 bytes"):
        load(IdxSource(path=tmp_path))


def test_missing_folder_raises_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load(IdxSource(path=tmp_path / "nowhere"))


def test_file_instead_of_folder_raises_data_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is not a folder"):
        load(IdxSource(path=tmp_path / "file"))


def test_unreadable_file_raises_data_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = write_idx_folder(folder_for_all(tmp_path_factory))
    (folder / TRAIN_IMAGES).chmod(0o000)
    with ordinary_user(), pytest.raises(DataError, match="no permission to read .*train-images"):
        load(IdxSource(path=folder))
