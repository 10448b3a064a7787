"""Reader of Parquet files of images: row group by row group, with errors that name the file and the row."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from components.base.addresses import with_addresses
from components.base.component import Context
from components.base.errors import DataError, first_line
from components.example_gen.sources.parquet_columns import LAYOUT, ParquetColumns, find_columns
from components.example_gen.sources.parquet_images import RowError, iterate_pictures, read_labels, read_pixels
from components.example_gen.sources.parquet_shards import FILES
from components.io.conversion import Channels
from components.io.files import catch_read_errors, open_regular
from components.io.picture_folder import first_frame_only
from components.io.pictures import resize_picture
from components.io.raw_images import RawImages, spool_images

READ_BUFFER_BYTES = 2**20
"""Read at a time from a column, because a row group may be as large as the file."""
BATCH_BYTES = 2**21
MAX_BATCH_ROWS = 8192

Piece = tuple[NDArray[np.uint8], tuple[int, int]]
"""Images, uint8 [count, height, width] or [count, height, width, 3], and their size in the file."""


def inspect(files: Sequence[Path], image: str | None, label: str | None) -> tuple[ParquetColumns, dict[Path, int]]:
    """Read the footers of files; return their columns, which must be the same, and the rows of each file."""
    found, rows = [], {}
    for path in files:
        with open_parquet(path) as file:
            found.append(find_columns(path, file.schema_arrow, image, label))
            rows[path] = file.metadata.num_rows
        if (found[-1].images, found[-1].label) != (found[0].images, found[0].label):
            raise DataError(
                f"{path} has other columns of images and labels than {files[0]}",
                expected="files of one data set",
                remedy="set example_gen.source.path to the files of one data set, or name the columns",
            )
    return found[0], rows


class ParquetReader:
    """Reads the images and labels of files.

    Args:
        columns: the columns of the files.
        rows: the number of rows that the footer of each file states.
        shape: height and width of images in lists or columns; by default they are square.
        size: height and width to resize to; by default all images have the size of the first.
    """

    def __init__(
        self, columns: ParquetColumns, rows: dict[Path, int], shape: tuple[int, int] | None, size: int | None
    ) -> None:
        self._columns, self._rows, self._shape, self._resizes = columns, rows, shape, size is not None
        self._size = None if size is None else (size, size)
        self._animated: list[str] = []

    def describe(self, row: int) -> str:
        """Return the name of a row of all files for messages, such as `row 7 of train.parquet`."""
        ends = list(accumulate(self._rows.values()))
        number = bisect_right(ends, row)
        path = list(self._rows)[number]
        return f"row {row - ends[number] + self._rows[path]} of {path}"

    def read(
        self, files: Sequence[Path], path: Path, channels: Channels, context: Context
    ) -> tuple[RawImages, NDArray[Any]]:
        """Write the images of some files to one file, `path`; return them and their labels."""
        batches = self._batches(files)
        first = next(batches, None)
        if first is None:
            raise DataError(f"{files[0]} has no rows", expected=LAYOUT, remedy="add images to it")
        labels = []
        height, width = first[0][0][0].shape[1:3]
        needed = sum(self._rows[file] for file in files) * height * width
        with spool_images(path, height=height, width=width, channels=channels, needed=needed) as spool:
            for pieces, batch_labels in chain([first], batches):
                context.termination.check()
                for images, size in pieces:
                    spool.append(images, resized_from=[size])
                labels.append(batch_labels)
        if self._animated:
            context.progress.warning(with_addresses(first_frame_only(self._animated)))
            self._animated.clear()
        return spool.images(), np.concatenate(labels)

    def _batches(self, files: Sequence[Path]) -> Iterator[tuple[list[Piece], NDArray[Any]]]:
        """Yield the images of some rows, and their labels."""
        names = [*self._columns.images, self._columns.label]
        for path in files:
            first = 0
            with open_parquet(path) as file:
                for batch in iterate_batches(file, names):
                    try:
                        labels = read_labels(batch.column(self._columns.label))
                        yield self._read_images(batch, path, first), labels
                    except RowError as error:
                        headline = f"row {first + error.row} of {path} {error.problem}"
                        raise DataError(headline, expected=error.expected, remedy=error.remedy) from error
                    first += len(batch)
            if first != self._rows[path]:
                raise DataError(
                    f"{path} has {first:,} rows, and its footer states {self._rows[path]:,}",
                    expected="a whole Parquet file",
                    remedy="download it or write it again",
                )

    def _read_images(self, batch: pa.RecordBatch, path: Path, first: int) -> list[Piece]:
        arrays = [batch.column(name) for name in self._columns.images]
        arrays = [getattr(array, "storage", array) for array in arrays]  # of an extension type
        images = read_pixels(arrays, self._shape)
        if images is not None:
            return [self._fit(images, 0)]
        pieces = []
        for row, picture in enumerate(iterate_pictures(arrays[0], lambda row: f"row {first + row} of {path}")):
            if picture.has_more_frames:
                self._animated.append(f"row {first + row} of {path}")
            pieces.append(self._fit(np.asarray(picture.image)[None], row))
        return pieces

    def _fit(self, images: NDArray[np.uint8], row: int) -> Piece:
        """Resize images, or check that they have the size of the first."""
        size = (images.shape[1], images.shape[2])
        self._size = self._size or size
        if size == self._size:
            return images, size
        if not self._resizes:
            found, expected = (f"{height}x{width}" for height, width in (size, self._size))
            remedy = f"set example_gen.source.size to resize all images, such as {min(self._size)}"
            raise RowError(row, f"has an image of {found}", expected=f"{expected}, as the first image", remedy=remedy)
        return np.stack([resize_picture(Image.fromarray(image), *self._size) for image in images]), size


@contextmanager
def open_parquet(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; raise DataError if it is damaged, also for a read in the block."""
    with open_regular(path, FILES) as file, catch_read_errors(path, FILES):
        try:
            with pq.ParquetFile(file, buffer_size=READ_BUFFER_BYTES, pre_buffer=False) as opened:
                yield opened
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of Arrow
                raise
            headline, remedy = (
                f"{path} is not a whole Parquet file: {first_line(error)}",
                "download it or write it again",
            )
            raise DataError(headline, expected=FILES, remedy=remedy) from error


def iterate_batches(file: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file in order, in batches."""
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        if group.num_rows:
            rows = max(1, min(MAX_BATCH_ROWS, BATCH_BYTES * group.num_rows // max(1, group.total_byte_size)))
            # One group at a time, in this thread: given all groups, Arrow reads ahead into memory.
            yield from file.iter_batches(rows, row_groups=[number], columns=columns, use_threads=False)
