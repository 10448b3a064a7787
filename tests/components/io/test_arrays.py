"""Rows of several files as one array."""

import resource
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from components.base.errors import DataError
from components.io.arrays import FileArray, array_writer, read_rows


def write_files(folder: Path, counts: list[int]) -> tuple[FileArray[np.uint8], NDArray[np.uint8]]:
    values = np.random.default_rng(0).integers(0, 256, (sum(counts), 2, 3), dtype=np.uint8)
    paths = [folder / f"{number}.npy" for number in range(len(counts))]
    for path, part in zip(paths, np.split(values, np.cumsum(counts)[:-1]), strict=True):
        np.save(path, part)
    return FileArray(paths), values


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=4), data=st.data())
def test_equals_the_files_joined(tmp_path: Path, counts: list[int], data: st.DataObject) -> None:
    array, values = write_files(tmp_path, counts)
    assert (array.shape, array.dtype, len(array)) == (values.shape, values.dtype, len(values))
    row = st.integers(0, len(values))
    start, stop = data.draw(row), data.draw(row)
    rows = data.draw(st.lists(st.integers(0, len(values) - 1)))
    assert np.array_equal(array[start:stop], values[start:stop])
    assert np.array_equal(array[::-2], values[::-2])
    assert np.array_equal(array[rows], values[rows])
    assert np.array_equal(array[len(values) - 1], values[-1])
    assert np.array_equal(read_rows(array, start, stop), read_rows(values, start, stop))


def test_rows_are_ordinary_arrays(tmp_path: Path) -> None:
    array, _ = write_files(tmp_path, [3, 4])
    assert not any(isinstance(rows, np.memmap) for rows in (array[1:6], array[[1, 6]], array[2]))


def test_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = max(int(path.name) for path in Path("/dev/fd").iterdir()) + 20
    files = limit + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        array, values = write_files(tmp_path, [1] * files)
        assert np.array_equal(array[:], values)
        assert np.array_equal(array[[*range(files)]], values)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("rows", [[7], [-1], 7])
def test_row_that_does_not_exist_raises_index_error(tmp_path: Path, rows: int | list[int]) -> None:
    array, _ = write_files(tmp_path, [3, 4])
    with pytest.raises(IndexError, match="of 7"):
        array[rows]


def test_files_of_several_shapes_raise_value_error(tmp_path: Path) -> None:
    for number, shape in enumerate([(2, 3), (2, 4)]):
        np.save(tmp_path / f"{number}.npy", np.zeros(shape))
    with pytest.raises(ValueError, match=r"1\.npy has rows of another type or shape than .*0\.npy"):
        FileArray([tmp_path / "0.npy", tmp_path / "1.npy"])


def test_written_in_pieces_equals_numpy(tmp_path: Path) -> None:
    values = np.arange(20, dtype=np.int64).reshape(10, 2)
    with array_writer(tmp_path / "pieces.npy", 10) as write:
        for piece in np.split(values, [3, 3, 7]):
            write(piece)
    np.save(tmp_path / "whole.npy", values)
    assert (tmp_path / "pieces.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    with pytest.raises(DataError, match="has 5 images"), array_writer(tmp_path / "short.npy", 10) as write:
        write(values[:5])
