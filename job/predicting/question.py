"""What `predict` is asked, as a value; light enough for `--help`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class AnswerFormat(StrEnum):
    """How answers are told."""

    TABLE = "table"
    """For a person: a line an image."""
    CSV = "csv"
    """A header and a line an image, with the probability of each class."""
    JSONL = "jsonl"
    """One JSON object a line."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What `predict` was asked; its fields are the command's arguments and options."""

    paths: Sequence[Path]
    root: Path
    model: str | None = None
    answer_format: AnswerFormat = AnswerFormat.TABLE
    show: Path | None = None
    as_is: bool = False
