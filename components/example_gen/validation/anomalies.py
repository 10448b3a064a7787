"""Detected anomalies, and the file `anomalies.csv` that lists their images."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.artifacts import Anomaly, Examples
from components.io.splits import read_ids
from components.runtime.disk import disk_space_guard

ANOMALIES_FILE = "anomalies.csv"
COLUMNS = ["check", "level", "split", "row", "id", "group"]


@dataclass(frozen=True)
class Detection:
    """An anomaly, with all images that it affects."""

    anomaly: Anomaly
    setting: str
    """The configuration key of its level, below `example_gen.checks`."""
    images: pd.DataFrame | None = None
    """Split, row and group of each image; None if the anomaly is not about single images."""


def write_anomalies(detections: Iterable[Detection], examples: Examples, output: Path) -> None:
    """Write the images of all anomalies to `anomalies.csv`, in the order of the detections.

    Columns: `check`, `level`, `split`, `row` (in the split's Parquet file, from 0), `id` (as in that file), and
    `group`, the number of the group of equal images (the same for all checks; empty for an image without duplicate).
    """
    with (
        disk_space_guard(output, None, "the list of anomalies"),
        (output / ANOMALIES_FILE).open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(",".join(COLUMNS) + "\n")
        for detection in detections:
            if detection.images is not None:
                frame = detection.images.assign(check=detection.anomaly.check, level=detection.anomaly.level)
                frame["id"] = pd.concat(
                    pd.Series([*_read_ids(examples, split, rows.to_numpy(), output)], rows.index)
                    for split, rows in frame.sort_values("row").groupby("split")["row"]
                )
                frame.to_csv(file, columns=COLUMNS, header=False, index=False, lineterminator="\n")


def read_id(location: str, examples: Examples, output: Path) -> str:
    """Return the `id` of the image at a location such as `train/17`."""
    split, row = location.split("/")
    return str(_read_ids(examples, split, np.array([int(row)]), output)[0])


def _read_ids(examples: Examples, split: str, rows: NDArray[np.int64], output: Path) -> pd.Series:
    return read_ids(output / dict(examples.splits.items())[split].file, rows)
