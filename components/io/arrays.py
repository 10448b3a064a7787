"""Arrays in files: the rows of several `.npy` files as one array."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from components.base.errors import DataError

Scalar = TypeVar("Scalar", bound=np.generic)
Rows = slice | Sequence[int] | NDArray[np.integer[Any]]


@dataclass(frozen=True)
class _File:
    path: Path
    offset: int  # bytes before the first row
    first: int  # rows in the files before it
    array: NDArray[Any]  # a memory map


class FileArray(Generic[Scalar]):
    """Rows of `.npy` files, one file after the other, which are read when they are indexed.

    All files have the same dtype and row shape. Indexing returns ordinary arrays: unlike the pages of a memory map,
    they leave the process's memory when they are no longer used.

    Raises:
        ValueError: if a file has another dtype or row shape than the first, or contains a pickle.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        files, first = [], 0
        for path in paths:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            files.append(_File(path, array.offset, first, array))
            first += len(array)
        self._files, row = files, files[0].array
        for file in files:
            if (file.array.dtype, file.array.shape[1:]) != (row.dtype, row.shape[1:]):
                raise ValueError(f"{file.path} has rows of another type or shape than {files[0].path}")
        self.shape: tuple[int, ...] = (first, *row.shape[1:])
        self.dtype: np.dtype[Scalar] = row.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | Rows) -> NDArray[Scalar]:
        """Return one row, or an array of several."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return self.read(start, stop)
            rows = range(start, stop, step)
        positions = np.asarray(rows, np.int64)
        flat = np.atleast_1d(positions)
        values = np.empty((len(flat), *self.shape[1:]), self.dtype)
        if len(flat) and not 0 <= flat.min() <= flat.max() < len(self):
            raise IndexError(f"rows {flat.min()} to {flat.max()} of {len(self)}")
        owners = np.searchsorted([file.first for file in self._files], flat, side="right") - 1
        for number in np.unique(owners):
            file, here = self._files[number], owners == number
            values[here] = file.array[flat[here] - file.first]
        return values if np.ndim(positions) else values[0]

    def read(self, start: int, stop: int) -> NDArray[Scalar]:
        """Return the rows from `start` to `stop` (exclusive)."""
        values = np.empty((max(0, stop - start), *self.shape[1:]), self.dtype)
        size = prod(self.shape[1:])
        for file in self._files:
            begin, end = max(start, file.first), min(stop, file.first + len(file.array))
            if begin < end:
                offset = file.offset + (begin - file.first) * size * self.dtype.itemsize
                flat = np.fromfile(file.path, self.dtype, (end - begin) * size, offset=offset)
                values[begin - start : end - start] = flat.reshape(-1, *self.shape[1:])
        return values


@contextmanager
def array_writer(path: Path, count: int) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Write an array of `count` rows while the block runs, with the bytes that `numpy.save` would write.

    Yields a function that appends rows. Raises DataError if another number of rows was written.
    """
    written = 0
    with path.open("wb") as file:

        def write(rows: NDArray[Any]) -> None:
            nonlocal written
            if not written:
                header = {"descr": rows.dtype.str, "fortran_order": False, "shape": (count, *rows.shape[1:])}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(rows).data)
            written += len(rows)

        yield write
    if written != count:
        expected = f"{count}, as in its manifest"
        raise DataError(f"a split has {written} images", expected=expected, remedy="run ExampleGen again")


def read_rows(rows: NDArray[Any] | FileArray[Any], start: int, stop: int) -> NDArray[Any]:
    """Return rows `start` to `stop` (exclusive) of an array, as a view, or of files, as an ordinary array."""
    return rows.read(start, stop) if isinstance(rows, FileArray) else rows[start:stop]
