"""How splits and predictions lie on disk: the one place that writes and reads their files.

Raw splits are Parquet with one row an image: `id` (row in its source, such as `train/17`),
`label`, and `image`, a fixed-size list of uint8 in row-major order, so that

    frame = pandas.read_parquet("train.parquet")
    picture = frame.image[0].reshape(28, 28)

works, and DuckDB, Polars and Spark read the same. Scaled splits are `.npy` files, read by
memory map or batch by batch. No pickle is ever written or read.

A split may be larger than memory: everything here that writes or goes through one does it in pieces.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.base.errors import DataError
from components.io.raw_images import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from components.artifacts import (
        Evaluation,
        Examples,
        ExamplesSplit,
        Stored,
        TransformedExamples,
        TransformedSplit,
    )

MAX_GROUP_ROWS = 8192
"""Rows a Parquet row group at most: 6.4 MB of 28x28 images, so that a reader can go piece by piece."""


def row_group_rows(pixels: int) -> int:
    """Return the rows of a row group of images of so many pixels: no more bytes of large images than of small ones."""
    return max(1, min(MAX_GROUP_ROWS, CHUNK_BYTES // pixels))


Pixel = TypeVar("Pixel", np.uint8, np.float32)
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class ImageSplit(Generic[Pixel]):
    """Images and their labels, row by row."""

    images: NDArray[Pixel]
    """[count, height, width] raw, or [count, height, width, channels] scaled."""
    labels: NDArray[np.int64]
    """[count]"""

    def __len__(self) -> int:
        return len(self.labels)


def examples_frame(images: NDArray[np.uint8], labels: NDArray[np.int64], ids: list[str]) -> pd.DataFrame:
    """Return a frame of `id`, `label` and `image` (one fixed-size list of pixels a row)."""
    pixels = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(images).reshape(-1)), images[0].size)
    return pd.DataFrame(
        {
            "id": pd.array(ids, dtype=pd.ArrowDtype(pa.string())),
            "label": labels,
            "image": pd.array(pixels, dtype=pd.ArrowDtype(pixels.type)),
        }
    )


@contextmanager
def examples_writer(path: Path, pixels: int) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Write a Parquet file while the block runs; what it yields takes one examples frame after the other.

    Each frame but the last has `row_group_rows(pixels)` rows: the file's bytes do not depend on how it came to be.
    """
    image = pa.list_(pa.uint8(), pixels)
    schema = pa.schema([("id", pa.string()), ("label", pa.int64()), ("image", image)])
    # Dictionaries cost time and say nothing of pixels.
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=["label"]) as writer:

        def write(frame: pd.DataFrame) -> None:
            # pandas' own metadata names the image type in words that pandas itself cannot parse back.
            table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
            writer.write_table(table, row_group_size=row_group_rows(pixels))

        yield write


def read_ids(path: Path, rows: NDArray[np.int64]) -> pd.Series:
    """Return the `id` of some rows of a raw split's file, whose numbers are given ascending."""
    found, first = [], 0
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            after = first + file.metadata.row_group(group).num_rows
            here = rows[slice(*np.searchsorted(rows, (first, after)))] - first
            if len(here):
                found += file.read_row_group(group, columns=["id"], use_threads=False).column("id").take(here).chunks
            first = after
    return pd.Series(pa.chunked_array(found, pa.string()), dtype=pd.ArrowDtype(pa.string()))


def iterate_examples(examples: Stored[Examples], split: ExamplesSplit, *, rows: int) -> Iterator[ImageSplit[np.uint8]]:
    """Yield a raw split in its order, at most `rows` at a time: uint8 [some, height, width] and int64 [some]."""
    height, width, _ = examples.artifact.image_shape
    with pq.ParquetFile(examples.directory / split.file) as file:
        for group in range(file.num_row_groups):
            # One by one, and in this thread: asked for all row groups, Arrow reads ahead of who goes through them.
            for batch in file.iter_batches(rows, row_groups=[group], columns=["image", "label"], use_threads=False):
                flat = batch.column("image").flatten().to_numpy(zero_copy_only=False)
                yield ImageSplit(flat.reshape(-1, height, width), batch.column("label").to_numpy())


def write_scaled(batches: Iterable[ImageSplit[np.float32]], images: Path, labels: Path, *, count: int) -> None:
    """Write a scaled split as two NumPy files, as `numpy.save` would.

    Args:
        batches: the split, piece by piece.
        images: the file of images.
        labels: the file of labels.
        count: images of all pieces together.

    Raises:
        DataError: if they are not so many.
    """
    every_label: list[NDArray[np.int64]] = []
    with images.open("wb") as file:
        for batch in batches:
            if not every_label:
                header = {"descr": batch.images.dtype.str, "fortran_order": False}
                np.lib.format.write_array_header_1_0(file, {**header, "shape": (count, *batch.images.shape[1:])})
            file.write(np.ascontiguousarray(batch.images).data)
            every_label.append(batch.labels.copy())  # what it came with goes
    written = sum(map(len, every_label))
    if written != count:
        raise DataError(
            f"a split has {written} images", expected=f"{count}, as its manifest says", remedy="make the examples again"
        )
    np.save(labels, np.concatenate(every_label), allow_pickle=False)


def read_scaled(transformed: Stored[TransformedExamples], split: TransformedSplit) -> ImageSplit[np.float32]:
    """Memory-map a scaled split: float32 [count, height, width, channels] and int64 [count]."""
    return ImageSplit(
        np.load(transformed.directory / split.images, mmap_mode="r", allow_pickle=False),
        np.load(transformed.directory / split.labels, allow_pickle=False),
    )


def read_rows(images: NDArray[Scalar], start: int, stop: int) -> NDArray[Scalar]:
    """Return consecutive rows of what `read_scaled` mapped as an array of their own.

    Unlike the pages of a memory map, they leave the process's memory when nobody needs them any more.

    Args:
        images: as `read_scaled` returned them; of an array that is no map, a view is returned.
        start: the first row.
        stop: the row after the last one.
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
    """Yield the images of a scaled split in their order, at most `rows` at a time, as `read_rows` reads them."""
    mapped = read_scaled(transformed, split).images
    for first in range(0, len(mapped), rows):
        yield read_rows(mapped, first, min(first + rows, len(mapped)))


def write_predictions(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], images: NDArray[np.void], path: Path
) -> None:
    """Write a classifier's answers as Parquet, one row an image, in the order of the split.

    Columns: `label`, `prediction`, `confidence` (of the prediction), `probabilities` (a list by label), and
    `image`, the image's digest of 16 bytes (`components.io.image_digests.image_digests`).
    """
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
    """Read what `write_predictions` wrote, without the column `probabilities`."""
    path = evaluation.directory / evaluation.artifact.predictions_file
    return pd.read_parquet(path, columns=["label", "prediction", "confidence", "image"])
