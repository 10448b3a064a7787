"""What commands are asked for, as values; light enough for `--help`."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def interpreter() -> str:
    """Return the Python that runs here, as one calls it from here: `.venv/bin/python` where it is below."""
    below = os.path.relpath(sys.executable)
    return sys.executable if below.startswith(os.pardir) else below


class LogFormat(StrEnum):
    """How a run tells what it does."""

    TEXT = "text"
    """For a person: bars on a terminal, lines elsewhere."""
    JSON = "json"
    """For a log collector: one JSON object a line."""


class AnswerFormat(StrEnum):
    """How answers are told."""

    TABLE = "table"
    """For a person: a line an image."""
    CSV = "csv"
    """A header and a line an image, with the probability of each class."""
    JSONL = "jsonl"
    """One JSON object a line."""


class Form(StrEnum):
    """Forms in which a model is exported: those of `components.artifacts.ExportFormat`."""

    KERAS = "keras"
    SAVED_MODEL = "saved_model"
    LITERT = "litert"
    ONNX = "onnx"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What `run` was asked for; its fields are the command's options."""

    config: Path
    overrides: Sequence[str] = ()
    root: Path | None = None
    no_cache: bool = False
    strict: bool = False
    until: str | None = None
    as_json: bool = False
    log_format: LogFormat = LogFormat.TEXT
    debug: bool = False

    def command(self) -> str:
        """Return the command that asks for the same, ready for a shell."""
        words = [interpreter(), "-m", "job", "run", "--config", str(self.config)]
        words += [word for override in self.overrides for word in ("--set", override)]
        words += [] if self.root is None else ["--root", str(self.root)]
        words += [] if self.until is None else ["--until", self.until]
        words += [] if self.log_format is LogFormat.TEXT else ["--log-format", self.log_format.value]
        flags = {"--no-cache": self.no_cache, "--strict": self.strict, "--json": self.as_json, "--debug": self.debug}
        return shlex.join([*words, *(flag for flag, given in flags.items() if given)])


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """What `predict` was asked; its fields are the command's arguments and options."""

    paths: Sequence[Path]
    root: Path
    model: str | None = None
    answer_format: AnswerFormat = AnswerFormat.TABLE
    show: Path | None = None
    as_is: bool = False
