"""Files of splits and predictions: the only module that reads and writes them.

Raw splits are Parquet files with one row per image: `id` (its row in the source, such as `train/17`), `label`, and
`image`, a fixed-size list of uint8 in row-major order; color images have red, green and blue of each pixel together:

    frame = pandas.read_parquet("train.parquet")
    picture = frame.image[0].reshape(28, 28)  # in color: reshape(28, 28, 3)

DuckDB, Polars and Spark read them too. Scaled splits are `.npy` files, read as memory maps or in batches. No function
reads or writes a pickle. A split may be larger than memory: all functions that process a whole split do so in batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.artifacts import (
    Evaluation,
    Examples,
    ExamplesSplit,
    Stored,
    TransformedExamples,
    TransformedSplit,
    raw_shape,
)
from components.base.errors import DataError
from components.io.raw_images import CHUNK_BYTES

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MAX_GROUP_ROWS = 8192
"""Rows of a Parquet row group: 6.4 MB of 28x28 images, the smallest part that a reader can load."""

Pixel = TypeVar("Pixel", np.uint8, np.float32)
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class ImageSplit(Generic[Pixel]):
    """Images and their labels, row by row."""

    images: NDArray[Pixel]
    """[count, height, width] or, in color, [count, height, width, 3] raw; [count, height, width, channels] scaled."""
    labels: NDArray[np.int64]
    """[count]"""

    def __len__(self) -> int:
        return len(self.labels)


def row_group_rows(image_bytes: int) -> int:
    """Return the rows of a row group for images of a size; groups of large images have as many bytes as others."""
    return max(1, min(MAX_GROUP_ROWS, CHUNK_BYTES // image_bytes))


def examples_frame(images: NDArray[np.uint8], labels: NDArray[np.int64], ids: list[str]) -> pd.DataFrame:
    """Return a frame with `id`, `label` and `image` (a fixed-size list of values)."""
    import pandas as pd

    pixels = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(images).reshape(-1)), images[0].size)
    return pd.DataFrame(
        {
            "id": pd.array(ids, dtype=pd.ArrowDtype(pa.string())),
            "label": labels,
            "image": pd.array(pixels, dtype=pd.ArrowDtype(pixels.type)),
        }
    )


@contextmanager
def examples_writer(path: Path, image_bytes: int) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Write a Parquet file while the block runs; yields a function that appends a frame of `examples_frame`.

    Each frame except the last has `row_group_rows(image_bytes)` rows: the bytes of the file depend only on the rows.
    """
    schema = pa.schema([("id", pa.string()), ("label", pa.int64()), ("image", pa.list_(pa.uint8(), image_bytes))])
    # Dictionaries cost time and do not compress pixels.
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=["label"]) as writer:

        def write(frame: pd.DataFrame) -> None:
            # The metadata of pandas contains the image type in a notation that pandas cannot parse.
            table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
            writer.write_table(table, row_group_size=row_group_rows(image_bytes))

        yield write


def read_ids(path: Path, rows: NDArray[np.int64]) -> list[str]:
    """Return the `id` of rows of a raw split's file; row numbers must ascend."""
    return [ids[row].as_py() for ids, here in _row_groups(path, rows, "id") for row in here.tolist()]


def read_images(examples: Stored[Examples], split: ExamplesSplit, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the images in rows of a raw split, of the shape of `iterate_examples`; row numbers must ascend."""
    shape = raw_shape(examples.artifact.image_shape)
    groups = _row_groups(examples.directory / split.file, rows, "image")
    return np.concatenate([to_numpy(images.flatten()).reshape(-1, *shape)[here] for images, here in groups])


def _row_groups(path: Path, rows: NDArray[np.int64], column: str) -> Iterator[tuple[pa.Array, NDArray[np.int64]]]:
    """Yield a column of each row group that has one of the rows, and the places of these rows in it."""
    first = 0
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            after = first + file.metadata.row_group(group).num_rows
            here = rows[slice(*np.searchsorted(rows, (first, after)))] - first
            if len(here):
                yield file.read_row_group(group, columns=[column], use_threads=False).column(0).combine_chunks(), here
            first = after


def iterate_examples(examples: Stored[Examples], split: ExamplesSplit, *, rows: int) -> Iterator[ImageSplit[np.uint8]]:
    """Yield a raw split in order, at most `rows` at a time, with int64 [batch] labels.

    The images are uint8 [batch, height, width] or, in color, [batch, height, width, 3].
    """
    shape = raw_shape(examples.artifact.image_shape)
    with pq.ParquetFile(examples.directory / split.file) as file:
        for group in range(file.num_row_groups):
            # One group at a time, in this thread: given all groups, Arrow reads ahead into memory.
            for batch in file.iter_batches(rows, row_groups=[group], columns=["image", "label"], use_threads=False):
                flat = to_numpy(batch.column("image").flatten())
                yield ImageSplit(flat.reshape(-1, *shape), to_numpy(batch.column("label")))


@contextmanager
def array_writer(path: Path, count: int) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Write an array of `count` rows while the block runs, with the bytes that `numpy.save` would write.

    Yields a function that appends rows. Raises DataError if there are fewer or more in the end.
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


def read_scaled(transformed: Stored[TransformedExamples], split: TransformedSplit) -> ImageSplit[np.float32]:
    """Memory-map a scaled split: float32 [count, height, width, channels] and int64 [count]."""
    return ImageSplit(
        np.load(transformed.directory / split.images, mmap_mode="r", allow_pickle=False),
        np.load(transformed.directory / split.labels, allow_pickle=False),
    )


def read_rows(images: NDArray[Scalar], start: int, stop: int) -> NDArray[Scalar]:
    """Return rows `start` to `stop` (exclusive) of a memory map as an ordinary array, or of an array as a view.

    Unlike the pages of a memory map, the array leaves the process's memory when it is no longer used.
    """
    if not isinstance(images, np.memmap) or images.filename is None:
        return images[start:stop]
    row = math.prod(images.shape[1:])
    offset = images.offset + start * row * images.itemsize
    rows = np.fromfile(images.filename, images.dtype.type, (stop - start) * row, offset=offset)
    return rows.reshape(stop - start, *images.shape[1:])


def iterate_scaled(
    transformed: Stored[TransformedExamples], split: TransformedSplit, *, rows: int
) -> Iterator[NDArray[np.float32]]:
    """Yield the images of a scaled split in order, at most `rows` at a time, as ordinary arrays."""
    return iterate_rows(read_scaled(transformed, split).images, rows)


def iterate_rows(images: NDArray[Scalar], rows: int) -> Iterator[NDArray[Scalar]]:
    """Yield the rows of an array or a memory map in order, at most `rows` at a time, as `read_rows` returns them."""
    for first in range(0, len(images), rows):
        yield read_rows(images, first, min(first + rows, len(images)))


def write_predictions(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], images: NDArray[np.void], path: Path
) -> None:
    """Write predictions as Parquet, one row per image, in the order of the split.

    Columns: `label`, `prediction`, `confidence` (the probability of the prediction), `probabilities` (a list by
    label), and `image` (the digest of `components.io.image_digests`).
    """
    import pandas as pd

    pd.DataFrame(
        {
            "label": labels,
            "prediction": probabilities.argmax(axis=1),
            "confidence": probabilities.max(axis=1),
            "probabilities": list(probabilities),
            "image": images.tolist(),
        }
    ).to_parquet(path, index=False)


def read_predictions(evaluation: Stored[Evaluation]) -> pd.DataFrame:
    """Read the file of `write_predictions`, without the column `probabilities`."""
    return read_prediction_table(evaluation, ["label", "prediction", "confidence", "image"]).to_pandas()


def read_probabilities(evaluation: Stored[Evaluation]) -> NDArray[np.float32]:
    """Read the column `probabilities` of the file of `write_predictions`: float32 [images, classes]."""
    column = read_prediction_table(evaluation, ["probabilities"]).column(0).combine_chunks()
    probabilities: NDArray[np.float32] = to_numpy(column.flatten()).reshape(len(column), -1)
    return probabilities


def read_prediction_table(evaluation: Stored[Evaluation], columns: list[str]) -> pa.Table:
    """Read columns of the file of `write_predictions`."""
    with pq.ParquetFile(evaluation.directory / evaluation.artifact.predictions_file) as file:
        return file.read(columns)


def to_numpy(numbers: pa.Array) -> NDArray[Any]:
    """Return an array of numbers without nulls, read-only; `numbers.to_numpy()` would import pandas."""
    return np.from_dlpack(numbers)
