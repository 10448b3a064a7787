"""Layout of a CSV file of images: delimiter, header and column of labels, detected from the first row.

The files that people have differ: Kaggle's digit-recognizer has a header, `mnist_train.csv` has none, spreadsheets in
some languages write semicolons, and pandas names columns 0, 1, 2.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Literal, TextIO

from components.base.errors import DataError, first_line
from components.io.files import catch_read_errors, open_decompressed

LABEL_COLUMN = "label"
USUAL_LABEL_NAMES = (LABEL_COLUMN, "labels", "class", "target", "digit", "y")
"""Names of the column of labels in public data sets, in lower case."""
DELIMITERS = ",;\t"
ENCODING = "utf-8-sig"
"""UTF-8 with or without the byte order mark that Excel writes."""
NUMBER = re.compile(r" *[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})? *")
MAX_LINE_CHARACTERS = 2**25
"""A longer line is not one of numbers: it has room for a million of NumPy's, of up to 25 characters each."""
LAYOUT = "one row per image: a label, and one whole number from 0 to 255 per pixel"

Header = Literal["auto"] | bool
"""Whether the first row names the columns; `auto` decides by its content."""


@dataclass(frozen=True)
class CsvLayout:
    """The columns of a CSV file, and how its rows are written."""

    path: Path
    columns: list[str]
    """Names of the header, or if there is none, the indices from 0."""
    has_header: bool
    delimiter: str
    lines_before_data: int

    def find_label(self, column: str | int | None) -> int:
        """Return the index of a column, by default of `label` or, without a header, the first.

        Raises:
            DataError: if there is no such column, or two with this name.
        """
        if column is None and not self.has_header:
            return 0
        if isinstance(column, int):
            if -len(self.columns) <= column < len(self.columns):
                return column % len(self.columns)
            raise DataError(
                f"{self.path} has {len(self.columns)} columns, so there is no column {column}",
                expected="an index from 0, or a negative one from the end",
                remedy="correct example_gen.source.label_column",
            )
        name = LABEL_COLUMN if column is None else column
        if name in self.columns:
            return self.columns.index(name)
        raise self._no_column(name)

    def guess_label(self) -> int | None:
        """Return the index of the column of labels, as its name shows it, or None."""
        if not self.has_header:
            return 0
        usual = [index for index, name in enumerate(self.columns) if name.casefold() in USUAL_LABEL_NAMES]
        # Pixels are numbered; one column at either end without a number holds something else.
        odd = [index for index, name in enumerate(self.columns) if not re.search("[0-9]", name)]
        return next((found[0] for found in (usual, odd) if len(found) == 1), None)

    def _no_column(self, name: str) -> DataError:
        likely = self.guess_label()
        if not self.has_header:
            found, remedy = "; it has no header", "set example_gen.source.label_column to an index from 0"
        elif is_counted(self.columns):
            found, remedy = (
                "; its columns have numbers as names",
                "set example_gen.source.label_column, such as to 0 or -1",
            )
        elif numbers_prevail(self.columns):
            found, remedy = "; its first row holds numbers", "if that row is data, set example_gen.source.header: false"
        elif likely is None:
            found = f"; its first columns are {', '.join(self.columns[:3])}"
            remedy = "set example_gen.source.label_column to the column of labels (Kaggle's test.csv has none)"
        else:
            place = {0: "first ", len(self.columns) - 1: "last "}.get(likely, "likely ")
            found = f"; the {place}column is `{self.columns[likely]}`"
            remedy = f"set example_gen.source.label_column: {self.columns[likely]}"
        return DataError(f"{self.path} has no column `{name}`{found}", expected=LAYOUT, remedy=remedy)


def detect_layout(path: Path, header: Header = "auto") -> CsvLayout:
    """Read the first row of a CSV file, plain or gzip."""
    lines = 0
    first = ""
    with open_text(path) as file:
        try:
            while not first.strip() and (first := file.readline(MAX_LINE_CHARACTERS)):
                lines += 1
            if len(first) == MAX_LINE_CHARACTERS:
                raise csv.Error(f"its first line has more than {MAX_LINE_CHARACTERS:,} characters")
            delimiter = max(DELIMITERS, key=first.count)
            row = next(csv.reader([first], delimiter=delimiter), [])
        except (csv.Error, UnicodeDecodeError) as error:
            raise not_csv(path, error) from error
    if not row:
        raise DataError(f"{path} is empty", expected=LAYOUT, remedy="add images to it")
    if header is True or (header == "auto" and not is_row_of_data(row)):
        row = [name.strip() for name in row]
        if "" in row:
            raise DataError(
                f"{path} has a column without a name, number {row.index('') + 1} of {len(row)}",
                expected=LAYOUT,
                remedy="remove the column: pandas writes its index so, unless with index=False",
            )
        repeated = [name for name, count in Counter(row).items() if count > 1]
        if repeated:
            remedy = "name each column once"
            if numbers_prevail(row):
                remedy = "if the first row is data, set example_gen.source.header: false"
            raise DataError(f"{path} has two columns named `{min(repeated)}`", expected=LAYOUT, remedy=remedy)
        return CsvLayout(path, row, has_header=True, delimiter=delimiter, lines_before_data=lines)
    indices = [str(index) for index in range(len(row))]
    return CsvLayout(path, indices, has_header=False, delimiter=delimiter, lines_before_data=lines - 1)


def is_gray_level(cell: str) -> bool:
    """Return whether a cell holds a whole number from 0 to 255, in any notation that Arrow reads.

    >>> [is_gray_level(cell) for cell in ("216", " 216.0", "2.16e+02", "0x10", "0.5", "256", "")]
    [True, True, True, False, False, False, False]
    """
    return NUMBER.fullmatch(cell) is not None and float(cell) in range(256)


def is_row_of_data(row: list[str]) -> bool:
    """Return whether a first row holds pixels, not names."""
    return not is_counted(row) and numbers_prevail(row) and all(NUMBER.fullmatch(cell or "0") for cell in row)


def is_counted(row: list[str]) -> bool:
    """Return whether a first row holds the names that pandas writes: 0, 1, 2 and so on, or from 1."""
    return any(row == [str(start + index) for index in range(len(row))] for start in (0, 1))


def numbers_prevail(row: list[str]) -> bool:
    """Return whether most cells hold numbers."""
    return sum(NUMBER.fullmatch(cell) is not None for cell in row) > len(row) / 2


@contextmanager
def open_text(path: Path, *, errors: str = "strict") -> Iterator[TextIO]:
    """Open a CSV file, plain or gzip, as the csv module expects it."""
    with (
        open_decompressed(path, "a CSV file") as file,
        TextIOWrapper(file, encoding=ENCODING, errors=errors, newline="") as text,
        catch_read_errors(path, "a CSV file"),
    ):
        yield text


def not_csv(path: Path, error: Exception) -> DataError:
    is_binary = isinstance(error, UnicodeDecodeError)
    problem = "it is not text in UTF-8" if is_binary else first_line(error)
    remedy = "unpack it if it is an archive, or save it as CSV in UTF-8" if is_binary else "save it as CSV"
    return DataError(f"{path} cannot be read as CSV: {problem}", expected=LAYOUT, remedy=remedy)
