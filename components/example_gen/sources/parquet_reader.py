"""Reader of Parquet files of images: row group by row group, with errors that name the file and the row."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from components.base.component import Context
from components.base.errors import DataError, first_line
from components.example_gen.sources.decoded_parts import DecodedPart, JoinedImages, join_parts, part_path
from components.example_gen.sources.parquet_columns import LAYOUT, ParquetColumns, find_columns
from components.example_gen.sources.parquet_images import RowError, iterate_pictures, read_labels, read_pixels
from components.example_gen.sources.parquet_shards import FILES
from components.io.conversion import Channels
from components.io.files import catch_read_errors, open_regular
from components.io.pictures import resize_picture
from components.io.raw_images import spool_images

if TYPE_CHECKING:
    from numpy.typing import NDArray

READ_BUFFER_BYTES = 2**20
"""Read at a time from a column, because a row group may be as large as the file."""
BATCH_BYTES = 2**21
MAX_BATCH_ROWS = 8192
TASK_ROWS, TASK_BYTES = 20_000, 2**26
"""A task reads row groups until it has this many rows or encoded bytes: one to ten seconds of decoding."""


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


@dataclass(frozen=True)
class RowGroups:
    """Consecutive row groups of a file, which one task reads."""

    path: Path
    numbers: range
    first: int
    """The number of rows in the groups before them."""
    rows: int


@dataclass(frozen=True)
class ParquetReader:
    """Reads the images and labels of files."""

    columns: ParquetColumns
    shape: tuple[int, int] | None
    """Height and width of images in lists or columns; by default they are square."""
    size: int | None
    """Height and width to resize to; by default all images have the size of the first."""
    channels: Channels

    def read(self, groups: Sequence[RowGroups], path: Path, size: tuple[int, int], context: Context) -> JoinedImages:
        """Write the images of row groups to one file, `path`; return them and their labels.

        Args:
            groups: one task for each.
            size: height and width of the written images.
        """
        tasks = [partial(self.decode, task, part_path(path, number), size) for number, task in enumerate(groups)]
        needed = sum(task.rows for task in groups) * size[0] * size[1]
        return join_parts(tasks, path, context, size=size, channels=self.channels, needed=needed)

    def first_size(self, task: RowGroups) -> tuple[int, int]:
        """Return height and width of all images: those to resize to, or those of the first image, given its task."""
        if self.size is not None:
            return self.size, self.size
        batch = next(iterate_batches(task.path, task.numbers, [*self.columns.images]))
        with _named_rows(task.path, 0):
            return next(self._images(batch.slice(0, 1), task.path, 0, [])).shape[1:3]

    def decode(self, task: RowGroups, path: Path, size: tuple[int, int]) -> DecodedPart:
        """Write the images of some row groups to a file."""
        names, labels, first = [*self.columns.images, self.columns.label], [], task.first
        animated: list[str] = []
        with spool_images(path, height=size[0], width=size[1], channels=self.channels) as spool:
            for batch in iterate_batches(task.path, task.numbers, names):
                with _named_rows(task.path, first):
                    labels.append(read_labels(batch.column(self.columns.label)))
                    for row, images in enumerate(self._images(batch, task.path, first, animated)):
                        spool.append(self._fit(images, size, row), resized_from=[images.shape[1:3]])
                first += len(batch)
        check_rows(task.path, found=first - task.first, stated=task.rows)
        return DecodedPart(spool.images(), np.concatenate(labels), tuple(animated))

    def _images(
        self, batch: pa.RecordBatch, path: Path, first: int, animated: list[str]
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield the images of a batch: all of one size at once, or pictures one by one."""
        arrays = [batch.column(name) for name in self.columns.images]
        arrays = [getattr(array, "storage", array) for array in arrays]  # of an extension type
        images = read_pixels(arrays, self.shape)
        if images is not None:
            yield images
            return
        for row, picture in enumerate(iterate_pictures(arrays[0], lambda row: f"row {first + row} of {path}")):
            if picture.has_more_frames:
                animated.append(f"row {first + row} of {path}")
            yield np.asarray(picture.image)[None]

    def _fit(self, images: NDArray[np.uint8], size: tuple[int, int], row: int) -> NDArray[np.uint8]:
        """Resize images, or check that they have the size of the first."""
        if images.shape[1:3] == size:
            return images
        if self.size is None:
            found, expected = (f"{height}x{width}" for height, width in (images.shape[1:3], size))
            remedy = f"set example_gen.source.size to resize all images, such as {min(size)}"
            raise RowError(row, f"has an image of {found}", expected=f"{expected}, as the first image", remedy=remedy)
        return np.stack([resize_picture(Image.fromarray(image), *size) for image in images])


def describe_row(row: int, rows: dict[Path, int]) -> str:
    """Return the name of a row of all files for messages, such as `row 7 of train.parquet`, given the rows of each."""
    ends = list(accumulate(rows.values()))
    number = bisect_right(ends, row)
    path = list(rows)[number]
    return f"row {row - ends[number] + rows[path]} of {path}"


def plan_tasks(files: Sequence[Path]) -> list[RowGroups]:
    """Divide the row groups of files into tasks that take about the same time; raise DataError if there are no rows."""
    tasks = []
    for path in files:
        with open_parquet(path) as file:
            groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
            stated = file.metadata.num_rows
        check_rows(path, found=sum(group.num_rows for group in groups), stated=stated)
        begin = first = rows = size = 0
        for number, group in enumerate(groups, start=1):
            rows, size = rows + group.num_rows, size + group.total_byte_size
            if rows and (rows >= TASK_ROWS or size >= TASK_BYTES or number == len(groups)):
                tasks.append(RowGroups(path, range(begin, number), first, rows))
                begin, first, rows, size = number, first + rows, 0, 0
    if not tasks:
        raise DataError(f"{files[0]} has no rows", expected=LAYOUT, remedy="add images to it")
    return tasks


def check_rows(path: Path, *, found: int, stated: int) -> None:
    """Raise DataError if a file does not have the number of rows that its footer states."""
    if found != stated:
        headline = f"{path} has {found:,} rows, and its footer states {stated:,}"
        raise DataError(headline, expected="a whole Parquet file", remedy="download it or write it again")


@contextmanager
def _named_rows(path: Path, first: int) -> Iterator[None]:
    """Raise a RowError of a batch, which begins with row `first` of a file, as a DataError that names the row."""
    try:
        yield
    except RowError as error:
        headline = f"row {first + error.row} of {path} {error.problem}"
        raise DataError(headline, expected=error.expected, remedy=error.remedy) from error


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


def iterate_batches(path: Path, groups: Iterable[int], columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of some row groups in order, in batches."""
    with open_parquet(path) as file:
        for number in groups:
            group = file.metadata.row_group(number)
            if group.num_rows:
                rows = max(1, min(MAX_BATCH_ROWS, BATCH_BYTES * group.num_rows // max(1, group.total_byte_size)))
                # One group at a time, in this thread: given all groups, Arrow reads ahead into memory.
                yield from file.iter_batches(rows, row_groups=[number], columns=columns, use_threads=False)
