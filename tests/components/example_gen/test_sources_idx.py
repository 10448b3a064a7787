"""The IDX source: the four MNIST files, plain or gzip, and invalid files."""

import gzip
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from components.base.errors import DataError
from components.example_gen.sources import IdxSource
from tests.support.data import load, squares, write_idx, write_idx_folder

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


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


def test_identity_depends_on_content_but_not_on_path(tmp_path: Path) -> None:
    here = IdxSource(path=write_idx_folder(tmp_path / "here"))
    there = IdxSource(path=write_idx_folder(tmp_path / "there"))
    other = IdxSource(path=write_idx_folder(tmp_path / "other", train=210))
    assert here.identity() == there.identity() != other.identity()


def truncate(folder: Path) -> None:
    path = folder / TRAIN_IMAGES
    path.write_bytes(path.read_bytes()[:-100])


def lengthen(folder: Path) -> None:
    path = folder / TRAIN_LABELS
    path.write_bytes(path.read_bytes() + b"\0")


def wrong_magic(folder: Path) -> None:
    (folder / TRAIN_IMAGES).write_bytes(b"<html>404 Not Found</html>")


def labels_for_images(folder: Path) -> None:
    (folder / TRAIN_IMAGES).write_bytes((folder / TRAIN_LABELS).read_bytes())


def empty(folder: Path) -> None:
    (folder / TRAIN_IMAGES).write_bytes(b"")


def truncated_header(folder: Path) -> None:
    (folder / TRAIN_IMAGES).write_bytes(bytes((0, 0, 8, 3)) + struct.pack(">i", 5))


def negative_count(folder: Path) -> None:
    (folder / TRAIN_IMAGES).write_bytes(bytes((0, 0, 8, 3)) + struct.pack(">3i", -1, 28, 28))


def fewer_labels(folder: Path) -> None:
    write_idx(folder / TRAIN_LABELS, squares(10)[1])


def broken_gzip(folder: Path) -> None:
    whole = gzip.compress((folder / TRAIN_IMAGES).read_bytes())
    (folder / TRAIN_IMAGES).write_bytes(whole[: len(whole) // 2])


def damaged_gzip(folder: Path) -> None:
    whole = bytearray(gzip.compress((folder / TRAIN_IMAGES).read_bytes()))
    whole[len(whole) // 2] ^= 0xFF
    (folder / TRAIN_IMAGES).write_bytes(whole)


def no_labels(folder: Path) -> None:
    (folder / TRAIN_LABELS).unlink()


def no_test_images(folder: Path) -> None:
    (folder / "t10k-images-idx3-ubyte").unlink()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (truncate, "states 200x28x28 bytes of data, but has 156700"),
        (lengthen, "states 200 bytes of data, but has 201"),
        (wrong_magic, "begins with 0x3c68746d"),
        (labels_for_images, "begins with 0x00000801"),
        (empty, "begins with 0x(nothing)"),
        (truncated_header, "ends within its header"),
        (negative_count, "-1x28x28"),
        (fewer_labels, "has 200 images but"),
        (broken_gzip, "is a broken gzip file"),
        (damaged_gzip, "is a broken gzip file"),
        (no_labels, "has no train-labels-idx1-ubyte"),
        (no_test_images, "has no t10k-images-idx3-ubyte"),
    ],
)
def test_invalid_file_raises_one_sentence(tmp_path: Path, damage: Callable[[Path], None], says: str) -> None:
    damage(write_idx_folder(tmp_path))
    with pytest.raises(DataError) as caught:
        load(IdxSource(path=tmp_path))
    assert says in caught.value.headline
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
    (write_idx_folder(tmp_path) / TRAIN_IMAGES).write_bytes(bytes((0, 0, 8, 3)) + struct.pack(">3i", 200, 0, 0))
    with pytest.raises(DataError, match="states 200x0x0 bytes"):
        load(IdxSource(path=tmp_path))


def test_missing_folder_raises_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load(IdxSource(path=tmp_path / "nowhere"))


def test_file_instead_of_folder_raises_data_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is not a folder"):
        load(IdxSource(path=tmp_path / "file"))


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Drop root's privileges, if the tests run as root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_unreadable_file_raises_data_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("idx")
    for parent in (folder, *folder.parents):
        if parent == Path(tempfile.gettempdir()):
            break
        parent.chmod(0o755)
    write_idx_folder(folder)
    (folder / TRAIN_IMAGES).chmod(0o000)
    with ordinary_user(), pytest.raises(DataError, match="no permission to read .*train-images"):
        load(IdxSource(path=folder))
