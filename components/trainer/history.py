"""The training history as a table."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from components.artifacts import Epoch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write_history(history: Iterable[Epoch], path: Path) -> None:
    """Write one line an epoch as CSV, under the names of `Epoch`'s fields."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(Epoch.model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row.model_dump() for row in history)
