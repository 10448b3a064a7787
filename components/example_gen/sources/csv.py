"""CSV in the layout of Kaggle's digit-recognizer: a `label` column and one column a pixel."""

from __future__ import annotations

import contextlib
import csv
import re
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from components.base.errors import DataError, first_line
from components.base.hashing import file_sha256
from components.example_gen.sources.base import Dataset, SourceConfig
from components.io.files import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from components.base.component import Context
    from components.io.raw_images import LabelledImages

LABEL = "label"
ENCODING = "utf-8-sig"
"""UTF-8, with or without the mark that Excel begins a file with."""
WHOLE_NUMBER = re.compile(r" *[0-9]{1,9} *")
LAYOUT = f"a header with `{LABEL}` and one name a pixel, then one row an image of whole numbers from 0 to 255"


class CsvSource(SourceConfig):
    """One CSV file, or a train and a test file, in the layout of Kaggle's digit-recognizer."""

    kind: Literal["csv"] = "csv"
    """Which source this is."""
    path: Path
    """The file, or the one of training images."""
    test_path: Path | None = None
    """The file of test images, if there is one; with labels."""
    shape: tuple[Annotated[int, Field(strict=True, ge=1)], Annotated[int, Field(strict=True, ge=1)]] | None = None
    """Height and width in pixels; by default the images are square."""
    classes: Annotated[int, Field(strict=True, ge=2, le=256)] = 10
    """How many classes there are: labels run from 0 to one less."""

    def identity(self) -> dict[str, str]:
        identity = {"classes": str(self.classes), "shape": str(self.shape)}
        for name, path in (("train", self.path), ("test", self.test_path)):
            if path is not None:
                with reading(path, "a CSV file"):
                    identity[name] = file_sha256(path)
        return identity

    def load(self, context: Context, scratch: Path) -> Dataset:
        train = self._load_file(self.path, context, scratch / "train")
        test = None if self.test_path is None else self._load_file(self.test_path, context, scratch / "test")
        if test is not None and test.images.pixels != train.images.pixels:
            raise DataError(
                f"{self.test_path} has images of {test.images.pixels} pixels, {self.path} of {train.images.pixels}",
                expected="train and test images of one size",
                remedy="use files that belong together",
            )
        return Dataset(
            title="CSV images",
            class_names=tuple(str(label) for label in range(self.classes)),
            train=train,
            test=test,
        )

    def _load_file(self, path: Path, context: Context, scratch: Path) -> LabelledImages:
        import numpy as np

        from components.io.raw_images import LabelledImages, spool_images

        with reading(path, "a CSV file"):
            columns = read_header(path)
            size = path.stat().st_size
        height, width = self._image_shape(path, len(columns) - 1)
        labels = []
        # A pixel takes two characters at least.
        with spool_images(scratch, height=height, width=width, needed=size // 2) as spool:
            for batch in read_batches(path, columns):
                context.termination.check()
                spool.append(pixels_of(batch, columns))
                labels.append(batch.column(LABEL).to_numpy().astype(np.int64))
        refuse_hexadecimal(path, columns)
        if not sum(map(len, labels)):
            raise DataError(f"{path} has a header but no rows", expected=LAYOUT, remedy="add images")
        return LabelledImages(spool.images(), np.concatenate(labels))

    def _image_shape(self, path: Path, pixels: int) -> tuple[int, int]:
        side = isqrt(pixels)
        height, width = self.shape or (side, side)
        if height * width != pixels or pixels == 0:
            wanted = f"{height}x{width} images" if self.shape else "square images"
            raise DataError(
                f"{path} has {pixels} pixel columns, which is not what {wanted} need",
                expected=f"{height * width} columns beside `{LABEL}`" if self.shape else "a square number of columns",
                remedy="take the column away that is no pixel, or set example_gen.source.shape to [height, width]",
            )
        return height, width


def read_header(path: Path, *, needs: str | None = LABEL) -> list[str]:
    """Return the column names of a CSV file.

    Args:
        path: the file.
        needs: a column that must be there.

    Raises:
        DataError: if there is no header, no such column, or a name stands twice.
    """
    try:
        with path.open(newline="", encoding=ENCODING) as file:
            columns = next(csv.reader(file), [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error
    if not columns:
        raise DataError(f"{path} is empty", expected=LAYOUT, remedy="put images into it")
    if needs is not None and needs not in columns:
        raise DataError(
            f"{path} has no column `{needs}`; its first columns are {', '.join(columns[:3])}",
            expected=LAYOUT,
            remedy=f"name the column of labels `{needs}` (Kaggle's own test.csv has none and cannot be scored)",
        )
    if twice := {name for name in columns if columns.count(name) > 1}:
        raise DataError(f"{path} has two columns named `{min(twice)}`", expected=LAYOUT, remedy="name each column once")
    return columns


def read_batches(path: Path, columns: list[str]) -> Iterator[Any]:
    """Yield a CSV file as Arrow record batches of whole numbers from 0 to 255.

    Raises:
        DataError: if it has others, or rows of another length.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    types = dict.fromkeys(columns, pa.uint8())
    options = arrow_csv.ConvertOptions(column_types=types, null_values=[])
    # Arrow reads fast and strictly but does not say where a bad cell is; find_fault does.
    try:
        with arrow_csv.open_csv(path, convert_options=options) as batches:
            yield from batches
    except (pa.ArrowException, KeyError, OSError) as error:
        raise find_fault(path, columns) or unreadable(path, error) from error


def pixels_of(batch: Any, columns: list[str]) -> NDArray[np.uint8]:
    """Return all but the labels of a batch: uint8 [rows, pixels], in the order of the header."""
    import numpy as np

    names = [name for name in columns if name != LABEL]
    pixels = np.empty((len(batch), len(names)), dtype=np.uint8)
    for index, name in enumerate(names):
        pixels[:, index] = batch.column(name).to_numpy()
    return pixels


def find_fault(path: Path, columns: list[str]) -> DataError | None:
    """Return the first row or cell of a CSV file that is not what the layout says."""
    with path.open(newline="", encoding=ENCODING, errors="replace") as file:
        reader = csv.reader(file)
        next(reader)
        for row in rows_until_unreadable(reader):
            where = f"{path}, line {reader.line_num}"
            if row and len(row) != len(columns):
                return DataError(
                    f"{where} has {len(row)} cells",
                    expected=f"{len(columns)}, as in the header",
                    remedy="mend the row",
                )
            for name, cell in zip(columns, row, strict=False):
                if not WHOLE_NUMBER.fullmatch(cell) or int(cell) > 255:
                    return DataError(
                        f"{where}, column `{name}` holds {cell[:20]!r}"
                        if cell
                        else f"{where}, column `{name}` is empty",
                        expected="a whole number from 0 to 255",
                        remedy="mend the cell",
                    )
    return None


def rows_until_unreadable(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the rows that the csv module can read, up to the first that it cannot."""
    with contextlib.suppress(csv.Error):
        yield from reader


def unreadable(path: Path, error: Exception) -> DataError:
    """Return the error for a file that is no CSV at all, or of cells that no pixel needs."""
    return DataError(
        f"{path} cannot be read as CSV: {first_line(error)}", expected=LAYOUT, remedy="write it anew as CSV"
    )


def refuse_hexadecimal(path: Path, columns: list[str]) -> None:
    """Raise DataError if a cell may be written as 0x10, which Arrow reads as 16."""
    with path.open("rb") as file:
        next(file)
        if any(b"x" in line or b"X" in line for line in file):
            raise find_fault(path, columns) or unreadable(path, ValueError("hexadecimal numbers"))
