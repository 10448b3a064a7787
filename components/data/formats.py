"""How splits and predictions lie on disk: the one place that writes and reads their files.

Raw splits are Parquet with one row an image: `id` (row in its source, such as `train/17`),
`label`, and `image`, a fixed-size list of uint8 in row-major order, so that

    frame = pandas.read_parquet("train.parquet")
    picture = frame.image[0].reshape(28, 28)

works, and DuckDB, Polars and Spark read the same. Scaled splits are `.npy` files, read by
memory map. No pickle is ever written or read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
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

ROW_GROUP = 8192
"""Rows a Parquet row group: 6.4 MB of 28x28 images, so that a reader can go piece by piece."""


Pixel = TypeVar("Pixel", np.uint8, np.float32)


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


def frame_images(frame: pd.DataFrame, height: int, width: int) -> NDArray[np.uint8]:
    """Return the frame's images as uint8 [count, height, width], without a copy where Arrow allows it."""
    pixels = pa.array(frame["image"])
    if isinstance(pixels, pa.ChunkedArray):
        pixels = pixels.combine_chunks()
    flat: NDArray[np.uint8] = pixels.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(frame), height, width)


def write_examples(frame: pd.DataFrame, path: Path) -> None:
    """Write an examples frame as Parquet."""
    # pandas' own metadata names the image type in words that pandas itself cannot parse back.
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    # Dictionaries and column statistics cost time and say nothing of pixels.
    pq.write_table(table, path, compression="zstd", use_dictionary=["label"], row_group_size=ROW_GROUP)


def read_examples(examples: Stored[Examples], split: ExamplesSplit) -> ImageSplit[np.uint8]:
    """Read a raw split: uint8 [count, height, width] and int64 [count]."""
    height, width, _ = examples.artifact.image_shape
    table = pq.read_table(examples.directory / split.file, columns=["image", "label"])
    flat = table.column("image").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return ImageSplit(flat.reshape(-1, height, width), table.column("label").to_numpy())


def write_scaled(split: ImageSplit[np.float32], images: Path, labels: Path) -> None:
    """Write a scaled split as two NumPy files."""
    np.save(images, split.images, allow_pickle=False)
    np.save(labels, split.labels, allow_pickle=False)


def read_scaled(transformed: Stored[TransformedExamples], split: TransformedSplit) -> ImageSplit[np.float32]:
    """Memory-map a scaled split: float32 [count, height, width, channels] and int64 [count]."""
    return ImageSplit(
        np.load(transformed.directory / split.images, mmap_mode="r", allow_pickle=False),
        np.load(transformed.directory / split.labels, allow_pickle=False),
    )


def write_predictions(labels: NDArray[np.int64], probabilities: NDArray[np.float32], path: Path) -> None:
    """Write a classifier's answers as Parquet, one row an image, in the order of the split.

    Columns: `label`, `prediction`, `confidence` (of the prediction), `probabilities` (a list by label).
    """
    pd.DataFrame(
        {
            "label": labels,
            "prediction": probabilities.argmax(axis=1),
            "confidence": probabilities.max(axis=1),
            "probabilities": list(probabilities),
        }
    ).to_parquet(path, index=False)


def read_predictions(evaluation: Stored[Evaluation]) -> pd.DataFrame:
    """Read what `write_predictions` wrote, without the column `probabilities`."""
    path = evaluation.directory / evaluation.artifact.predictions_file
    return pd.read_parquet(path, columns=["label", "prediction", "confidence"])
