"""Arrays in files: the rows of several `.npy` files as one array."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from components.base.errors import DataError

Scalar = TypeVar("Scalar", bound=np.generic)
Rows = slice | Sequence[int] | NDArray[np.integer[Any]]


class FileArray(Generic[Scalar]):
    """Rows of `.npy` files, one file after the other, which are read when they are indexed.

    All files have the same dtype and row shape. Indexing returns ordinary arrays: unlike the pages of a memory map,
    they leave the process's memory when they are no longer used. No file stays open: there may be thousands.

    Raises:
        ValueError: if a file has another dtype or row shape than the first, or contains a pickle.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        headers = [_Header.of(path) for path in paths]
        for path, header in zip(paths, headers, strict=True):
            if (header.dtype, header.shape[1:]) != (headers[0].dtype, headers[0].shape[1:]):
                raise ValueError(f"{path} has rows of another type or shape than {paths[0]}")
        self._paths, self._offsets = paths, [header.offset for header in headers]
        self._ends = np.cumsum([header.shape[0] for header in headers])  # of each file, in rows
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *headers[0].shape[1:])
        self.dtype: np.dtype[Scalar] = headers[0].dtype

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
        files = np.searchsorted(self._ends, flat, side="right")
        for file in np.unique(files):
            here, first = files == file, self._first_row(file)
            shape = (int(self._ends[file] - first), *self.shape[1:])
            mapped = np.memmap(self._paths[file], self.dtype, "r", self._offsets[file], shape)
            values[here] = mapped[flat[here] - first]
        return values if np.ndim(positions) else values[0]

    def read(self, start: int, stop: int) -> NDArray[Scalar]:
        """Return the rows from `start` to `stop` (exclusive)."""
        values = np.empty((max(0, stop - start), *self.shape[1:]), self.dtype)
        size, begin = prod(self.shape[1:]), start
        while begin < stop:
            file = int(np.searchsorted(self._ends, begin, side="right"))
            end = min(stop, int(self._ends[file]))
            offset = self._offsets[file] + (begin - self._first_row(file)) * size * self.dtype.itemsize
            flat = np.fromfile(self._paths[file], self.dtype, (end - begin) * size, offset=offset)
            values[begin - start : end - start] = flat.reshape(-1, *self.shape[1:])
            begin = end
        return values

    def _first_row(self, file: int) -> int:
        return int(self._ends[file - 1]) if file else 0


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


@dataclass(frozen=True)
class _Header:
    """The header of a `.npy` file; the rows begin at `offset`, in bytes."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, path: Path) -> Self:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)  # which the end of this function closes
        return cls(mapped.dtype, mapped.shape, mapped.offset)
