"""Reader of CSV files of images: one row per image, one column per pixel, with or without labels."""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.errors import DataError
from components.io.csv_layout import LAYOUT, MAX_LINE_CHARACTERS, CsvLayout, is_gray_level, not_csv, open_text
from components.io.files import catch_read_errors, open_decompressed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCALED = re.compile(r" *0?\.[0-9]+ *")
"""A pixel of images that were divided by 255."""
MIN_BLOCK_BYTES = 2**20
MAX_CELL_BYTES = 32
"""Arrow needs blocks of at least one row; NumPy writes 25 bytes per number."""


@dataclass(frozen=True)
class CsvImages:
    """A CSV file of images whose layout is known."""

    layout: CsvLayout
    label: int | None
    """Index of the column of labels, if there is one; all other columns are pixels."""

    @property
    def path(self) -> Path:
        return self.layout.path

    @property
    def pixels(self) -> int:
        """Pixels of each image."""
        return len(self.layout.columns) - (self.label is not None)

    def batches(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """Yield the rows in batches: pixels, uint8 [rows, pixels], and labels, int64 [rows] or, without labels, [0].

        Raises:
            DataError: if a row or cell does not follow the layout, or if there are no rows.
        """
        import numpy as np
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        # Names are not passed on: Arrow finds columns by name, and a header may have any.
        names = [str(index) for index in range(len(self.layout.columns))]
        read = arrow_csv.ReadOptions(
            column_names=names,
            skip_rows=self.layout.lines_before_data,
            block_size=max(MIN_BLOCK_BYTES, MAX_CELL_BYTES * len(names)),
        )
        parse = arrow_csv.ParseOptions(delimiter=self.layout.delimiter)
        # As floats, because many programs write 216.0; every whole number of a cell is exact in 32 bits.
        convert = arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float32()), null_values=[])
        labels = np.empty(0, dtype=np.int64)
        count = 0
        # Arrow reads fast and strictly, but its errors do not name the cell; _first_fault does.
        try:
            with (
                open_decompressed(self.path, "a CSV file") as file,
                catch_read_errors(self.path, "a CSV file"),
                arrow_csv.open_csv(file, read_options=read, parse_options=parse, convert_options=convert) as batches,
            ):
                for batch in batches:
                    cells = np.asarray(batch.to_tensor())
                    with np.errstate(invalid="ignore"):
                        whole = cells.astype(np.uint8)
                    if not np.array_equal(whole, cells):
                        raise pa.ArrowInvalid("a cell holds no whole number from 0 to 255")
                    count += len(whole)
                    if self.label is not None:
                        labels = whole[:, self.label].astype(np.int64)
                        whole = np.delete(whole, self.label, axis=1)
                    yield whole, labels
        except pa.ArrowException as error:
            raise self._first_fault() or not_csv(self.path, error) from error
        if not count:
            raise DataError(f"{self.path} has a header but no rows", expected=LAYOUT, remedy="add images to it")

    def _first_fault(self) -> DataError | None:
        """Return an error that names the first row or cell that does not follow the layout."""
        columns = self.layout.columns
        with open_text(self.path, errors="replace") as file:
            lines = iter(lambda: file.readline(MAX_LINE_CHARACTERS), "")
            for _ in range(self.layout.lines_before_data):
                next(lines)
            reader = csv.reader(lines, delimiter=self.layout.delimiter)
            with contextlib.suppress(csv.Error):  # the first row that the csv module cannot read ends the search
                for row in reader:
                    where = f"{self.path}, line {self.layout.lines_before_data + reader.line_num}"
                    if row and len(row) != len(columns):
                        expected = f"{len(columns)} cells, as in the first row"
                        return DataError(f"{where} has {len(row)} cells", expected=expected, remedy="correct the row")
                    for name, cell in zip(columns, row, strict=False):
                        if not is_gray_level(cell):
                            headline = f"{where}, column `{name}` " + (f"holds {cell[:20]!r}" if cell else "is empty")
                            expected, remedy = "a whole number from 0 to 255", "correct the cell"
                            if SCALED.fullmatch(cell):
                                remedy += " or, if pixels are scaled to 0..1, multiply all by 255 and round them"
                            if not self.layout.has_header and reader.line_num == 1:
                                remedy += " or, if the row names the columns, set example_gen.source.header: true"
                            return DataError(headline, expected=expected, remedy=remedy)
        return None
