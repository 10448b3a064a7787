"""The CSV source: Kaggle's layout, and invalid cells, rows and headers."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.base.errors import DataError
from components.example_gen.sources import CsvSource
from components.io.csv_layout import detect_layout
from tests.support.data import load, squares, write_csv
from tests.support.time_limit import time_limit

Edit = Callable[[str], str]
"""Changes the text of a CSV file."""


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


def as_floats(line: str) -> str:
    return ",".join(f'"{float(cell)}"' if cell.isdecimal() else cell for cell in line.split(","))


def as_numpy_writes(line: str) -> str:
    return ",".join(f"{float(cell):.18e}" if cell.isdecimal() else cell for cell in line.split(","))


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: "\n".join(map(as_floats, text.splitlines())),
        lambda text: "\n".join(map(as_numpy_writes, text.splitlines())),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: "\ufeff" + text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text + "\n\n\n",
        lambda text: "\n" + text,
        lambda text: text.partition("\n")[2],
        lambda text: ",".join(map(str, range(65))) + "\n" + text.partition("\n")[2],
    ],
    ids=["floats", "numpy", "semicolons", "tabs", "excel", "macintosh", "end", "begin", "no header", "pandas header"],
)
@pytest.mark.parametrize("gz", [False, True])
def test_reads_csv_as_programs_write_it(tmp_path: Path, rewrite: Edit, gz: bool) -> None:
    text = rewrite(write_csv(tmp_path / "kaggle.csv", count=20).read_text())
    path = tmp_path / f"train.csv{'.gz' if gz else ''}"
    path.write_bytes(gzip.compress(text.encode()) if gz else text.encode())
    split = load(CsvSource(path=path, label_column=0)).train
    images, labels = squares(20, size=8)
    np.testing.assert_array_equal(split.images, images)
    np.testing.assert_array_equal(split.labels, labels)


@pytest.mark.parametrize("label_column", [None, 0, -5, "0"])
def test_first_column_of_file_without_header_is_the_label(tmp_path: Path, label_column: int | str | None) -> None:
    path = tmp_path / "mnist_train.csv"
    path.write_text("7,0,1,2,3\n2,4,5,6,255\n")
    split = load(CsvSource(path=path, label_column=label_column)).train
    np.testing.assert_array_equal(split.images, [[[0, 1], [2, 3]], [[4, 5], [6, 255]]])
    np.testing.assert_array_equal(split.labels, [7, 2])


@pytest.mark.parametrize("label_column", ["class", 4, -1])
def test_any_column_may_be_the_label(tmp_path: Path, label_column: int | str) -> None:
    path = tmp_path / "openml.csv"
    path.write_text("pixel1,pixel2,pixel3,pixel4,class\n0,1,2,3,'7'\n".replace("'", '"'))
    split = load(CsvSource(path=path, label_column=label_column)).train
    np.testing.assert_array_equal(split.images, [[[0, 1], [2, 3]]])
    np.testing.assert_array_equal(split.labels, [7])


def test_header_of_numbers_can_be_declared(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("9,10,11,12,13\n1,2,3,4,5\n")
    assert len(load(CsvSource(path=path)).train) == 2
    assert load(CsvSource(path=path, header=True, label_column="13")).train.labels.tolist() == [5]
    assert load(CsvSource(path=path, header=False, label_column=-1, classes=14)).train.labels.tolist() == [13, 5]


@pytest.mark.parametrize(
    ("text", "keys", "message", "remedy"),
    [
        ("p1,p2,p3,p4,class\n1,2,3,4,5\n", {}, "the last column is `class`", "label_column: class"),
        ("Label,p1,p2,p3,p4\n1,2,3,4,5\n", {}, "the first column is `Label`", "label_column: Label"),
        ("p1,Digit,p2,p3,p4\n1,2,3,4,5\n", {}, "the likely column is `Digit`", "label_column: Digit"),
        ("p1,p2,p3,p4,kind\n1,2,3,4,5\n", {}, "the last column is `kind`", "label_column: kind"),
        ("p1,p2,p3,p4\n1,2,3,4\n", {}, "its first columns are p1, p2, p3", "label_column"),
        ("1,x,3,4,5\n1,2,3,4,5\n", {}, "its first row holds numbers", "header: false"),
        ("1,0,0,x,5\n1,2,3,4,5\n", {}, "two columns named `0`", "header: false"),
        ("784,1,2,3,4\n1,2,3,4,5\n", {}, "line 1, column `0` holds '784'", "header: true"),
        ("7,0.0,0.5,0.25,1.0\n", {}, "line 1, column `2` holds '0.5'", "correct the cell"),
        (",label,p1\n0,1,2\n", {}, "a column without a name, number 1 of 3", "index=False"),
        ("5,2,3,4,5\n1,2,3,4,5\n", {"label_column": "class"}, "it has no header", "an index from 0"),
        ("0,1,2,3,4\n1,2,3,4,5\n", {}, "its columns have numbers as names", "label_column, such as to 0"),
        ("label,a,b,c,d\n1,0.5,0,0,0\n", {}, "holds '0.5'", "multiply all by 255"),
        ("5,2,3,4,5\n1,2,3,4,5\n", {"label_column": 5}, "there is no column 5", "label_column"),
        ("5,2,3,4,5\n1,2,3,4,5\n", {"label_column": -6}, "there is no column -6", "label_column"),
        ("7,2,3,4,5\n1,2,3,4,15\n", {"label_column": 4}, "has the label 15", "first_label: 5 and classes: 11"),
    ],
)
def test_error_names_the_key_that_helps(
    tmp_path: Path, text: str, keys: dict[str, Any], message: str, remedy: str
) -> None:
    path = tmp_path / "train.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        load(CsvSource(path=path, **keys))
    assert message in caught.value.headline
    assert remedy in caught.value.remedy


def test_first_labels_and_transposed_images_of_emnist(tmp_path: Path) -> None:
    path = tmp_path / "emnist-letters-train.csv"
    path.write_text("1,0,1,2,3,4,5\n3,6,7,8,9,10,11\n2,0,0,0,0,0,0\n")
    split = load(CsvSource(path=path, classes=3, first_label=1, transpose=True, shape=(3, 2)))
    np.testing.assert_array_equal(split.train.images[:2], [[[0, 3], [1, 4], [2, 5]], [[6, 9], [7, 10], [8, 11]]])
    assert split.train.labels.tolist() == [0, 2, 1]
    assert split.class_names == ("1", "2", "3")


def test_reads_header_of_many_columns(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("label," + ",".join(f"pixel{index}" for index in range(102_400)) + "\n")
    with time_limit():
        assert detect_layout(path).find_label(None) == 0


@pytest.mark.thorough
def test_reads_rows_longer_than_a_block(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("\n".join([as_numpy_writes(",".join([str(row)] * 62_501)) for row in range(2)]))
    split = load(CsvSource(path=path)).train
    assert split.images.shape == (2, 250, 250)
    assert split.labels.tolist() == [0, 1]


@pytest.mark.parametrize("key", [{"label_column": 0}, {"header": True}, {"first_label": 1}, {"transpose": True}])
def test_identity_contains_the_layout(tmp_path: Path, key: dict[str, Any]) -> None:
    path = write_csv(tmp_path / "train.csv")
    assert CsvSource(path=path, **key).identity() != CsvSource(path=path).identity()


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
        (change(",220,", ",inf,"), "holds 'inf'"),
        (change(",220,", ",1e-1,"), "holds '1e-1'"),
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


def test_broken_gzip_file_raises_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "train.csv.gz"
    whole = gzip.compress(write_csv(tmp_path / "train.csv").read_bytes())
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    for content in (whole[: len(whole) // 2], damaged, whole[:12]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"train\.csv\.gz is a broken gzip file"):
            load(CsvSource(path=path))


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
