"""The Parquet file of a shard: one row per predicted image."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.bulk_inferrer.inputs import utf8
from components.inference.preprocessing.input_reader import InputImage
from components.inference.transform_graph import apply_numpy, scaling_graph
from components.io.image_digests import DIGEST_DTYPE, image_digests

GROUP_ROWS = 10_000
"""Rows of a row group, which are in memory until it is written."""


class ShardFile:
    """Context manager that writes a Parquet file."""

    def __init__(self, path: Path, class_names: Sequence[str]) -> None:
        self.rows = 0
        self.label_counts = np.zeros(len(class_names), dtype=np.int64)
        numbers = range(len(class_names))
        self._labels = pa.array(numbers if [*map(str, numbers)] == [*class_names] else [*class_names])
        self._schema = pa.schema(
            [
                ("path", pa.string()),
                ("row", pa.int64()),
                ("label", self._labels.type),
                ("probability", pa.float32()),
                ("probabilities", pa.list_(pa.float32(), len(class_names))),
                ("image", pa.binary(DIGEST_DTYPE.itemsize)),
            ]
        )
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd", use_dictionary=["path", "label"])
        self._group: list[pa.RecordBatch] = []

    def write(self, images: Sequence[InputImage], probabilities: NDArray[np.float32]) -> None:
        """Append a row for each image; probabilities are [images, classes]."""
        labels = probabilities.argmax(axis=1)
        inputs = np.stack([image.network_input for image in images])
        # The digest of the picture in 0..1, as in the predictions of an evaluation.
        digests = image_digests(apply_numpy(scaling_graph(1 if inputs.ndim == 3 else 3), inputs))
        columns = [
            pa.array([utf8(image.path) for image in images]),
            pa.array([image.row for image in images], pa.int64()),
            self._labels.take(pa.array(labels)),
            pa.array(probabilities.max(axis=1)),
            pa.FixedSizeListArray.from_arrays(pa.array(probabilities.reshape(-1)), probabilities.shape[1]),
            pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(DIGEST_DTYPE.itemsize), len(digests), [None, pa.py_buffer(digests.tobytes())]
            ),
        ]
        self._group.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self.rows += len(images)
        self.label_counts += np.bincount(labels, minlength=len(self.label_counts))
        if sum(batch.num_rows for batch in self._group) >= GROUP_ROWS:
            self._write_group()

    def _write_group(self) -> None:
        if self._group:
            self._writer.write_table(pa.Table.from_batches(self._group), row_group_size=2 * GROUP_ROWS)
            self._group.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if kind is None:
                self._write_group()
        finally:
            self._writer.close()
