"""Parquet files of images, such as the data sets of the Hugging Face hub."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from components.base.addresses import with_addresses
from components.base.component import ComponentConfig, Context
from components.base.hashing import value_sha256
from components.example_gen.sources.base import Dataset, SourceConfig
from components.example_gen.sources.parquet_shards import FILES, fetch_shards
from components.io.files import data_sha256
from components.object_storage import UserLocation

Side = Annotated[int, Field(strict=True, ge=1, le=1024)]
ColumnName = Annotated[str, Field(min_length=1)]


class ColumnNames(ComponentConfig):
    """The names of the columns."""

    image: ColumnName | None = None
    """The column of images, or a pattern such as `pixel*` for one column per pixel. By default the column that the
    Hugging Face hub describes as images, `image`, or all columns but that of labels."""
    label: ColumnName | None = None
    """The column of labels; by default the one that the Hugging Face hub describes as class labels, or `label`."""


class ParquetSource(SourceConfig):
    """Parquet files with images as encoded pictures, lists of pixels or one column per pixel."""

    kind: Literal["parquet"] = "parquet"
    """Selects this source."""
    path: UserLocation
    """A file, a folder, or a pattern such as `data/train-*.parquet`, also a URL of object storage. Files named `test`
    are the test set."""
    test_path: UserLocation | None = None
    """The test set, as `path`; with this key, all files of `path` are for training."""
    columns: ColumnNames = ColumnNames()
    """The names of the columns of images and labels, if they are not the default ones."""
    shape: tuple[Side, Side] | None = None
    """Height and width of images in lists or columns; by default they are square."""
    size: Side | None = None
    """Height and width to resize to; required if the images have different sizes."""

    def identity(self) -> dict[str, str]:
        shards = fetch_shards(self.path, self.test_path)
        options = {**dict(self.columns), "shape": self.shape, "size": self.size}
        identity = {key: str(value) for key, value in options.items()}
        for part, files in (("train", shards.train), ("test", shards.test)):
            if files:
                identity[part] = value_sha256([data_sha256(file, FILES) for file in files])
        return identity

    def load(self, context: Context, scratch: Path) -> Dataset:
        import numpy as np

        from components.example_gen.sources.labels import index_labels
        from components.example_gen.sources.parquet_reader import ParquetReader, describe_row, inspect, plan_tasks
        from components.io.raw_images import LabelledImages

        shards = fetch_shards(self.path, self.test_path)
        if shards.skipped:
            context.progress.warning(
                with_addresses(
                    f"files of other splits are not read, such as {shards.skipped[0]}; "
                    "to read them, set example_gen.source.path or test_path"
                )
            )
        columns, rows = inspect([*shards.train, *shards.test], self.columns.image, self.columns.label)
        reader = ParquetReader(columns, self.shape, self.size, self.channels)
        parts = {name: plan_tasks(files) for name, files in (("train", shards.train), ("test", shards.test)) if files}
        size = reader.first_size(parts["train"][0])
        read = [reader.read(groups, scratch / name, size, context) for name, groups in parts.items()]
        labels = np.concatenate([part.labels for part in read])
        class_names, indices = index_labels(labels, columns.class_names, partial(describe_row, rows=rows))
        first = len(read[0].labels)
        return Dataset(
            title="Parquet files",
            class_names=class_names,
            train=LabelledImages(read[0].images, indices[:first]),
            test=LabelledImages(read[1].images, indices[first:]) if shards.test else None,
        )
