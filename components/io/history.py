"""The training history as a CSV file."""

import csv
from collections.abc import Iterable
from pathlib import Path

from components.artifacts import Epoch


def write_history(history: Iterable[Epoch], path: Path) -> None:
    """Write one row per epoch, with the names of `Epoch`'s fields as the header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(Epoch.model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.model_dump() for row in history)
