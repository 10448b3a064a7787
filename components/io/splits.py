"""Files of raw splits and predictions: the only module that reads and writes them.

A raw split is a folder of Parquet files, `train/00000.parquet` and so on, with one row per image: `id` (its row in the
source, such as `train/17`), `label`, and `image`, a fixed-size list of uint8 in row-major order; color images have red,
green and blue of each pixel together:

    frame = pandas.read_parquet("train")
    picture = frame.image[0].reshape(28, 28)  # in color: reshape(28, 28, 3)

DuckDB, Polars and Spark read them too. No function reads or writes a pickle. A split may be larger than memory: all
functions that process a whole split do so in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.artifacts import Evaluation, Examples, ExamplesSplit, Stored, raw_shape
from components.io.raw_images import CHUNK_BYTES

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MAX_GROUP_ROWS = 8192
"""Rows of a Parquet row group: 6.4 MB of 28x28 images, the smallest part that a reader can load."""
SHARD_GROUPS = 10
"""Row groups of a file: 81,920 images of 28x28, or 64 MB. Files of a split are processed in parallel."""

Pixel = TypeVar("Pixel", np.uint8, np.float32)


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


def shard_rows(image_bytes: int) -> int:
    """Return the number of rows in each file of a split, except the last: a number of whole row groups."""
    return row_group_rows(image_bytes) * SHARD_GROUPS


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


def read_ids(examples: Stored[Examples], split: ExamplesSplit, rows: NDArray[np.int64]) -> list[str]:
    """Return the `id` of rows of a raw split; row numbers must ascend."""
    return [ids[row].as_py() for ids, here in _row_groups(examples, split, rows, "id") for row in here.tolist()]


def read_images(examples: Stored[Examples], split: ExamplesSplit, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the images in rows of a raw split, of the shape of `iterate_examples`; row numbers must ascend."""
    shape = raw_shape(examples.artifact.image_shape)
    groups = _row_groups(examples, split, rows, "image")
    return np.concatenate([to_numpy(images.flatten()).reshape(-1, *shape)[here] for images, here in groups])


def _row_groups(
    examples: Stored[Examples], split: ExamplesSplit, rows: NDArray[np.int64], column: str
) -> Iterator[tuple[pa.Array, NDArray[np.int64]]]:
    """Yield a column of each row group that has one of the rows, and the places of these rows in it."""
    first = 0
    for shard in split.shards:
        if not len(_between(rows, first, first + shard.count)):
            first += shard.count
            continue
        with pq.ParquetFile(examples.directory / shard.file) as file:
            for group in range(file.num_row_groups):
                after = first + file.metadata.row_group(group).num_rows
                if len(here := _between(rows, first, after) - first):
                    values = file.read_row_group(group, columns=[column], use_threads=False).column(0)
                    yield values.combine_chunks(), here
                first = after


def _between(rows: NDArray[np.int64], first: int, after: int) -> NDArray[np.int64]:
    return rows[slice(*np.searchsorted(rows, (first, after)))]


def iterate_examples(examples: Stored[Examples], split: ExamplesSplit, *, rows: int) -> Iterator[ImageSplit[np.uint8]]:
    """Yield a raw split in order, at most `rows` at a time, with int64 [batch] labels.

    The images are uint8 [batch, height, width] or, in color, [batch, height, width, 3].
    """
    shape = raw_shape(examples.artifact.image_shape)
    for shard in split.shards:
        yield from iterate_shard(examples.directory / shard.file, shape, rows=rows)


def iterate_shard(path: Path, shape: tuple[int, ...], *, rows: int) -> Iterator[ImageSplit[np.uint8]]:
    """Yield the images of one file of a raw split, as `iterate_examples` does; `shape` is that of an image."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            # One group at a time, in this thread: given all groups, Arrow reads ahead into memory.
            for batch in file.iter_batches(rows, row_groups=[group], columns=["image", "label"], use_threads=False):
                flat = to_numpy(batch.column("image").flatten())
                yield ImageSplit(flat.reshape(-1, *shape), to_numpy(batch.column("label")))


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
