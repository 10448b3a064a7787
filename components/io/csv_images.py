"""Reader of CSV files of images in the layout of Kaggle's digit-recognizer: one row per image, one column per pixel."""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from components.base.errors import DataError, first_line
from components.io.files import catch_read_errors, open_regular

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LABEL_COLUMN = "label"
ENCODING = "utf-8-sig"
"""UTF-8 with or without the byte order mark that Excel writes."""
LAYOUT = f"a header with `{LABEL_COLUMN}` and one name per pixel, then one row per image of whole numbers from 0 to 255"


@dataclass(frozen=True)
class CsvImages:
    """A CSV file of images whose header is read."""

    path: Path
    columns: list[str]

    @property
    def pixel_columns(self) -> list[str]:
        """All columns but the label, in the order of the header."""
        return [name for name in self.columns if name != LABEL_COLUMN]

    def batches(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """Yield the rows in batches: pixels, uint8 [rows, pixels], and labels, int64 [rows] or, without labels, [0]."""
        import numpy as np
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        options = arrow_csv.ConvertOptions(column_types=dict.fromkeys(self.columns, pa.uint8()), null_values=[])
        labels = np.empty(0, dtype=np.int64)
        # Arrow reads fast and strictly, but its errors do not name the cell; _first_fault does.
        try:
            with (
                open_regular(self.path, "a CSV file") as file,
                arrow_csv.open_csv(file, convert_options=options) as batches,
            ):
                for batch in batches:
                    pixels = np.empty((len(batch), len(self.pixel_columns)), dtype=np.uint8)
                    for index, name in enumerate(self.pixel_columns):
                        pixels[:, index] = batch.column(name).to_numpy()
                    if LABEL_COLUMN in self.columns:
                        labels = batch.column(LABEL_COLUMN).to_numpy().astype(np.int64)
                    yield pixels, labels
        except (pa.ArrowException, KeyError, OSError) as error:
            raise self._first_fault() or not_csv(self.path, error) from error

    def reject_hexadecimal(self) -> None:
        """Raise DataError for a cell such as 0x10, which Arrow reads as 16."""
        with open_regular(self.path, "a CSV file") as file:
            next(file)
            if any(b"x" in line or b"X" in line for line in file):
                raise self._first_fault() or not_csv(self.path, ValueError("hexadecimal numbers"))

    def _first_fault(self) -> DataError | None:
        """Return an error that names the first row or cell that does not follow the layout."""
        with open_text(self.path, errors="replace") as file:
            reader = csv.reader(file)
            next(reader)
            with contextlib.suppress(csv.Error):  # the first row that the csv module cannot read ends the search
                for row in reader:
                    where = f"{self.path}, line {reader.line_num}"
                    if row and len(row) != len(self.columns):
                        expected = f"{len(self.columns)} cells, as in the header"
                        return DataError(f"{where} has {len(row)} cells", expected=expected, remedy="correct the row")
                    for name, cell in zip(self.columns, row, strict=False):
                        if not re.fullmatch(r" *[0-9]{1,9} *", cell) or int(cell) > 255:
                            headline = f"{where}, column `{name}` " + (f"holds {cell[:20]!r}" if cell else "is empty")
                            expected = "a whole number from 0 to 255"
                            return DataError(headline, expected=expected, remedy="correct the cell")
        return None


def open_csv_images(path: Path, *, labelled: bool) -> CsvImages:
    """Read the header of a CSV file of images; if it is `labelled`, a column `label` is required."""
    with catch_read_errors(path, "a CSV file"):
        try:
            with open_text(path) as file:
                columns = next(csv.reader(file), [])
        except (csv.Error, UnicodeDecodeError) as error:
            raise not_csv(path, error) from error
    if not columns:
        raise DataError(f"{path} is empty", expected=LAYOUT, remedy="add images to it")
    if labelled and LABEL_COLUMN not in columns:
        raise DataError(
            f"{path} has no column `{LABEL_COLUMN}`; its first columns are {', '.join(columns[:3])}",
            expected=LAYOUT,
            remedy=f"name the column of labels `{LABEL_COLUMN}` (Kaggle's test.csv has no labels and cannot be used)",
        )
    if repeated := {name for name in columns if columns.count(name) > 1}:
        headline = f"{path} has two columns named `{min(repeated)}`"
        raise DataError(headline, expected=LAYOUT, remedy="name each column once")
    images = CsvImages(path, columns)
    images.reject_hexadecimal()
    return images


def open_text(path: Path, *, errors: str = "strict") -> TextIO:
    """Open a CSV file as the csv module expects it."""
    return TextIOWrapper(open_regular(path, "a CSV file"), encoding=ENCODING, errors=errors, newline="")


def no_rows(path: Path) -> DataError:
    return DataError(f"{path} has a header but no rows", expected=LAYOUT, remedy="add images to it")


def not_csv(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read as CSV: {first_line(error)}", expected=LAYOUT, remedy="save it as CSV")
