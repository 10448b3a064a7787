"""`anomalies.csv`: every image that a finding is about, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from components.io.splits import read_ids
from components.runtime.disk import disk_space_guard

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from components.artifacts import Examples
    from components.example_gen.validation.anomalies import Finding
    from components.example_gen.validation.image_index import ImageIndex

COLUMNS = ("check", "level", "split", "row", "id", "group")


def write_listing(findings: Iterable[Finding], seen: ImageIndex, examples: Examples, output: Path, name: str) -> None:
    """Write the images of all findings as CSV, in the order of the findings.

    Columns: `check`, `level`, `split`, `row` (in the split's Parquet file, from 0), `id` (as there), and `group`,
    which numbers the images that are equal to each other, the same for all checks; empty for an image without equal.

    Raises:
        StorageError: if the disk is full.
    """
    with (
        disk_space_guard(output, None, "the list of anomalies"),
        (output / name).open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(",".join(COLUMNS) + "\n")
        for finding in findings:
            if len(finding.images):
                frame = _frame(finding, seen, examples, output).assign(check=finding.check, level=finding.level)
                frame.to_csv(file, columns=[*COLUMNS], header=False, index=False, lineterminator="\n")


def first_places(finding: Finding, seen: ImageIndex, most: int) -> tuple[str, ...]:
    """Return where the first images of a finding are, such as `train/17`: the split, and the row in its file."""
    return tuple(_place(position, seen) for position in finding.images[:most].tolist())


def image_id(finding: Finding, seen: ImageIndex, examples: Examples, output: Path) -> str:
    """Return the `id` of the first image of a finding."""
    split, row = _place(int(finding.images[0]), seen).split("/")
    file = getattr(examples.splits, split).file
    return str(read_ids(output / file, np.array([int(row)]))[0])


def _place(position: int, seen: ImageIndex) -> str:
    (place,) = (f"{name}/{span.index(position)}" for name, span in seen.spans().items() if position in span)
    return place


def _frame(finding: Finding, seen: ImageIndex, examples: Examples, output: Path) -> pd.DataFrame:
    """Return the split, row, id and group of each image of a finding, in its order."""
    spans, splits = seen.spans(), dict(examples.splits.items())
    ascending = np.argsort(finding.images)
    positions = finding.images[ascending]
    frames = []
    for name, span in spans.items():
        rows = positions[slice(*np.searchsorted(positions, (span.start, span.stop)))] - span.start
        if len(rows):
            ids = read_ids(output / splits[name].file, rows)
            frames.append(pd.DataFrame({"split": name, "row": rows, "id": ids}))
    frame = pd.concat(frames, ignore_index=True).iloc[np.argsort(ascending)]
    groups = pd.array(finding.groups, dtype="Int64")
    groups[finding.groups == 0] = pd.NA
    return frame.assign(group=groups)
