"""The CSV source: Kaggle's layout, and invalid cells, rows and headers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from components.base.errors import DataError
from components.example_gen.sources import CsvSource
from tests.support.data import load, squares, write_csv


def test_reads_images_and_labels(tmp_path: Path) -> None:
    source = CsvSource(
        path=write_csv(tmp_path / "train.csv", count=30), test_path=write_csv(tmp_path / "t.csv", count=9)
    )
    dataset = load(source)
    images, labels = squares(30, size=8)
    np.testing.assert_array_equal(dataset.train.images, images)
    np.testing.assert_array_equal(dataset.train.labels, labels)
    assert dataset.test is not None
    assert len(dataset.test) == 9


def test_label_column_may_be_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "last.csv"
    path.write_text("a,b,c,d,label\n1,2,3,4,9\n")
    split = load(CsvSource(path=path)).train
    np.testing.assert_array_equal(split.images, [[[1, 2], [3, 4]]])
    np.testing.assert_array_equal(split.labels, [9])


def test_images_that_are_not_square_need_a_shape(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("label,a,b\n1,7,8\n")
    with pytest.raises(DataError, match="2 pixel columns"):
        load(CsvSource(path=path))
    assert load(CsvSource(path=path, shape=(1, 2))).train.images.shape == (1, 1, 2)


def test_ignores_excels_byte_order_mark(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "excel.csv", count=20)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(load(CsvSource(path=path)).train) == 20


Edit = Callable[[str], str]
"""Damages the text of a CSV file."""


def change(old: str, new: str) -> Edit:
    """Return an edit that replaces the first `old` after the header."""

    def damage(text: str) -> str:
        header, _, rows = text.partition("\n")
        return f"{header}\n{rows.replace(old, new, 1)}"

    return damage


def change_line_4(edit: Edit) -> Edit:
    def damage(text: str) -> str:
        lines = text.splitlines()
        lines[3] = edit(lines[3])
        return "\n".join(lines)

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change(",220,", ",,"), "is empty"),
        (change(",220,", ",bright,"), "holds 'bright'"),
        (change(",220,", ",-1,"), "holds '-1'"),
        (change(",220,", ",256,"), "holds '256'"),
        (change(",220,", ",nan,"), "holds 'nan'"),
        (change(",220,", ",0.5,"), "holds '0.5'"),
        (change(",220,", ",٣,"), "holds '٣'"),
        (change_line_4(lambda line: line.rpartition(",")[0]), "line 4 has 64 cells"),
        (change_line_4(lambda line: line + ",0"), "line 4 has 66 cells"),
        (lambda text: text.replace("label", "digit", 1), "has no column `label`"),
        (lambda text: text.partition("\n")[0] + "\n", "has a header but no rows"),
        (lambda _: "", "is empty"),
        (lambda text: text.replace("pixel2", "pixel1", 1), "has two columns named `pixel1`"),
        (change(",220,", ",0x10,"), "holds '0x10'"),
        (change(",220,", "," + "9" * 5000 + ","), "holds '99999999999999999999'"),
        (change(",220,", "," + "9" * 200_000 + ","), "cannot be read as CSV"),
    ],
)
def test_invalid_file_raises_one_sentence(tmp_path: Path, damage: Edit, message: str) -> None:
    path = write_csv(tmp_path / "train.csv")
    path.write_text(damage(path.read_text()))
    with pytest.raises(DataError) as caught:
        load(CsvSource(path=path))
    assert message in caught.value.headline
    assert str(path) in caught.value.headline
    assert "\n" not in caught.value.headline


def test_binary_file_raises_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    with pytest.raises(DataError, match="cannot be read as CSV") as caught:
        load(CsvSource(path=path))
    assert str(path) in caught.value.headline
    assert "\n" not in caught.value.headline


def test_error_names_line_and_column_of_invalid_cell(tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    path.write_text("label,a,b,c,d\n1,0,0,0,0\n2,0,0,999,0\n")
    with pytest.raises(DataError, match=r"small\.csv, line 3, column `c` holds '999'"):
        load(CsvSource(path=path))


def test_train_and_test_need_the_same_size(tmp_path: Path) -> None:
    small, large = write_csv(tmp_path / "small.csv", size=8), write_csv(tmp_path / "large.csv", size=9)
    with pytest.raises(DataError, match="81 pixels"):
        load(CsvSource(path=small, test_path=large))


def test_missing_file_raises_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load(CsvSource(path=tmp_path / "none.csv"))
    with pytest.raises(DataError, match="is not a CSV file"):
        load(CsvSource(path=tmp_path))
