"""Detected anomalies, and the file `anomalies.csv` that lists their images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from components.artifacts import Anomaly, Examples
from components.example_gen.validation.image_index import ImageIndex
from components.io.splits import read_ids
from components.runtime.disk import disk_space_guard

if TYPE_CHECKING:
    from numpy.typing import NDArray

ANOMALIES_FILE = "anomalies.csv"
COLUMNS = ("check", "level", "split", "row", "id", "group")


def _no_images() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Detection:
    """An anomaly, with all images that it affects."""

    anomaly: Anomaly
    setting: str
    """The configuration key of its level, below `example_gen.checks`."""
    positions: NDArray[np.int64] = field(default_factory=_no_images)
    """Positions of the images in the ImageIndex; empty if the anomaly is not about single images."""
    groups: NDArray[np.int64] = field(default_factory=_no_images)
    """For each of these images the number of its group of equal images, or 0."""


def write_anomalies(detections: Iterable[Detection], index: ImageIndex, examples: Examples, output: Path) -> None:
    """Write the images of all anomalies to `anomalies.csv`, in the order of the detections.

    Columns: `check`, `level`, `split`, `row` (in the split's Parquet file, from 0), `id` (as in that file), and
    `group`, the number of the group of equal images (the same for all checks; empty for an image without duplicate).

    Raises:
        StorageError: if the disk is full.
    """
    with (
        disk_space_guard(output, None, "the list of anomalies"),
        (output / ANOMALIES_FILE).open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(",".join(COLUMNS) + "\n")
        for detection in detections:
            if len(detection.positions):
                anomaly = detection.anomaly
                frame = _image_frame(detection, index, examples, output)
                frame = frame.assign(check=anomaly.check, level=anomaly.level)
                frame.to_csv(file, columns=[*COLUMNS], header=False, index=False, lineterminator="\n")


def read_image_id(location: str, examples: Examples, output: Path) -> str:
    """Return the `id` of the image at a location such as `train/17`."""
    split, row = location.split("/")
    file = getattr(examples.splits, split).file
    return str(read_ids(output / file, np.array([int(row)]))[0])


def _image_frame(detection: Detection, index: ImageIndex, examples: Examples, output: Path) -> pd.DataFrame:
    """Return the split, row, id and group of each image of a detection, in its order."""
    files = {name: split.file for name, split in examples.splits.items()}
    ascending = np.argsort(detection.positions)
    positions = detection.positions[ascending]
    frames = []
    for name, span in index.spans().items():
        rows = positions[slice(*np.searchsorted(positions, (span.start, span.stop)))] - span.start
        if len(rows):
            frames.append(pd.DataFrame({"split": name, "row": rows, "id": read_ids(output / files[name], rows)}))
    frame = pd.concat(frames, ignore_index=True).iloc[np.argsort(ascending)]
    groups = pd.array(detection.groups, dtype="Int64")
    groups[detection.groups == 0] = pd.NA
    return frame.assign(group=groups)
