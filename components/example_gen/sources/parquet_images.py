"""Images in the columns of a Parquet file: encoded pictures, lists of pixels, or one column per pixel."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.sources.parquet_columns import is_list, is_number
from components.io.conversion import image_shape
from components.io.pictures import decode_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from components.io.pictures import Picture

Shape = tuple[int, ...]
PIXELS = "pixels that are whole numbers from 0 to 255"
RGB = 3


class RowError(Exception):
    """A row whose image or label cannot be read."""

    def __init__(self, row: int, problem: str, *, expected: str, remedy: str = "correct or remove it") -> None:
        super().__init__(problem)
        self.row, self.problem, self.expected, self.remedy = int(row), problem, expected, remedy


def read_labels(array: pa.Array) -> NDArray[Any]:
    """Return labels: whole numbers or, as objects, text."""
    if array.null_count:
        raise RowError(_first_null(array), "has no label", expected="a label in each row")
    labels: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return labels


def read_pixels(arrays: Sequence[pa.Array], shape: tuple[int, int] | None) -> NDArray[np.uint8] | None:
    """Return the images of a batch, uint8 [rows, height, width] or [rows, height, width, 3]; None for pictures.

    Args:
        arrays: one of lists, which may be nested, or one per pixel.
        shape: height and width; by default those of nested lists, or of a square.

    Raises:
        RowError: if an image has a missing value, or is not of the size.
    """
    array = arrays[0]
    if len(arrays) > 1 or is_number(array.type):
        for column in arrays:
            if column.null_count:
                raise RowError(_first_null(column), "has a pixel without a value", expected=PIXELS)
        values = np.stack([column.to_numpy(zero_copy_only=False) for column in arrays], axis=1)
        return _to_images(values, (), shape)
    return _to_images(*_flatten(array), shape) if is_list(array.type) else None


def iterate_pictures(array: pa.Array, describe: Any) -> Iterator[Picture]:
    """Yield the decoded pictures of a column of bytes, or of structures with the field `bytes`."""
    if pa.types.is_struct(array.type):
        array = pc.struct_field(array, "bytes")
    if array.null_count:
        expected = "the bytes of each picture; a path alone is not read"
        raise RowError(_first_null(array), "has no bytes of a picture", expected=expected)
    for row, value in enumerate(array):
        yield decode_picture(io.BytesIO(value.as_buffer()), describe(row))


def _flatten(array: pa.Array) -> tuple[NDArray[Any], Shape]:
    """Return the values of lists, [rows, values], and the lengths of the lists at each level below the rows."""
    rows, lengths = len(array), []
    while is_list(array.type):
        each = pc.list_value_length(array).fill_null(0).to_numpy()
        wrong = (each != each[0]) | (each == 0)
        if wrong.any():
            first = int(wrong.argmax())
            expected = f"lists of {each[0]}, as in the first row" if each[0] else "an image in each row"
            raise RowError(first * rows // len(each), f"has a list of {each[first]} values", expected=expected)
        lengths.append(int(each[0]))
        array = array.flatten()
    if array.null_count:
        row = _first_null(array) * rows // len(array)
        raise RowError(row, "has a pixel without a value", expected=PIXELS)
    if not is_number(array.type):
        raise RowError(0, f"has pixels of the type {array.type}", expected=PIXELS)
    return array.to_numpy(zero_copy_only=False).reshape(rows, -1), tuple(lengths)


def _to_images(values: NDArray[Any], nested: Shape, shape: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Return values, [rows, values], as images; `nested` are the lengths of nested lists."""
    with np.errstate(invalid="ignore"):
        pixels = values.astype(np.uint8, copy=False)
    if pixels is not values and (wrong := pixels != values).any():
        row, column = np.argwhere(wrong)[0]
        value = values[row, column]
        remedy = "multiply all pixels by 255 and round them" if 0 < value < 1 else "correct or remove it"
        raise RowError(row, f"has the pixel {value}", expected=PIXELS, remedy=remedy)
    count = pixels.shape[1]
    found = image_shape(count, shape)
    if shape is None and len(nested) > 1:
        found = nested[:2] if nested[2:] == (1,) else nested
    if found is None or len(found) > 3 or found[2:] not in ((), (RGB,)):
        raise RowError(
            0,
            f"has {count} values, {'x'.join(map(str, nested)) if len(nested) > 1 else 'in one list or row'}",
            expected=f"images of {'x'.join(map(str, shape)) if shape else 'a square'}, with 1 or 3 values per pixel",
            remedy="set example_gen.source.shape to [height, width]",
        )
    return pixels.reshape(-1, *found)


def _first_null(array: pa.Array) -> int:
    return int(np.asarray(array.is_null()).argmax())
