"""Options of the commands, as values. Imports nothing that `--help` does not need."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.object_storage import Location

DEFAULT_ROOT = "output"
"""Folder of artifacts and runs, if no other root is set."""
ROOT_ENV_VARIABLE = "JOB_ROOT"
"""Environment variable that sets another root, for images that keep it on a volume."""
DEFAULT_SEED = 0
PROGRAM = "mnist-job"
"""The console script of the package."""


class LogFormat(StrEnum):
    """Formats in which a run reports its progress."""

    TEXT = "text"
    """Progress bars on a terminal, lines elsewhere."""
    JSON = "json"
    """One JSON object per line, for a log collector."""


class PredictionFormat(StrEnum):
    """Formats in which predictions are printed."""

    TABLE = "table"
    """One readable line per image."""
    CSV = "csv"
    """A header, and one line per image with the probability of each class."""
    JSONL = "jsonl"
    """One JSON object per line."""


class ExportFormatOption(StrEnum):
    """Formats in which a model is exported: those of `components.artifacts.ExportFormat`."""

    KERAS = "keras"
    SAVED_MODEL = "saved_model"
    LITERT = "litert"
    LITERT_INT8 = "litert_int8"
    ONNX = "onnx"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of `run`."""

    config: Location | None
    overrides: Sequence[str] = ()
    only: str | None = None
    from_run: str | None = None
    root: Location | None = None
    no_cache: bool = False
    strict: bool = False
    until: str | None = None
    name: str | None = None
    note: str | None = None
    as_json: bool = False
    log_format: LogFormat = LogFormat.TEXT
    debug: bool = False

    def command(self) -> str:
        """Return the equivalent command line, quoted for a shell and without secrets."""
        from components.base.text import redact

        words = [*job_command(), "run"]
        for option, value in (("--only", self.only), ("--from", self.from_run), ("--config", self.config)):
            words += [] if value is None else [option, str(value)]
        words += [word for override in self.overrides for word in ("--set", override)]
        words += [] if self.root is None else ["--root", str(self.root)]
        for option, value in (("--until", self.until), ("--name", self.name), ("--note", self.note)):
            words += [] if value is None else [option, value]
        words += [] if self.log_format is LogFormat.TEXT else ["--log-format", self.log_format.value]
        flags = {"--no-cache": self.no_cache, "--strict": self.strict, "--json": self.as_json, "--debug": self.debug}
        return shlex.join(map(redact, [*words, *(flag for flag, is_set in flags.items() if is_set)]))


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """Options of `sweep`."""

    config: Location
    overrides: Sequence[str] = ()
    root: Location | None = None
    index: int = 0
    count: int = 1
    as_json: bool = False

    def command(self) -> str:
        """Return the equivalent command line, quoted for a shell and without secrets."""
        from components.base.text import redact

        words = [*job_command(), "sweep", "--config", str(self.config)]
        words += [word for override in self.overrides for word in ("--set", override)]
        words += [] if self.root is None else ["--root", str(self.root)]
        words += [] if self.count == 1 else ["--index", str(self.index), "--count", str(self.count)]
        words += ["--json"] if self.as_json else []
        return shlex.join(map(redact, words))


@dataclass(frozen=True, kw_only=True)
class RunsOptions:
    """Options of `runs`."""

    root: Path
    data_set: str | None = None
    name: str | None = None
    outcome: str | None = None
    blessed: bool = False
    since: str | None = None
    where: Sequence[str] = ()
    sweep: str | None = None
    last: int | None = None
    as_json: bool = False


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """Arguments and options of `predict`."""

    paths: Sequence[Path]
    root: Path
    model: str | None = None
    output_format: PredictionFormat | None = None
    show: Path | None = None
    as_is: bool = False
    transpose: bool = False
    out: Path | None = None
    """The folder of bulk inference; without it, predictions are printed."""
    shard_rows: int | None = None
    as_json: bool = False


def job_command() -> list[str]:
    """Return the command that started the job: `mnist-job`, or `python -m job`."""
    program = Path(sys.argv[0])
    if program.name != PROGRAM:
        return [python_command(), "-m", "job"]
    return [PROGRAM if shutil.which(PROGRAM) == str(program) else str(program)]


def python_command() -> str:
    """Return the path of the running Python, relative if it is below the working folder: `.venv/bin/python`."""
    relative = os.path.relpath(sys.executable)
    return sys.executable if relative.startswith(os.pardir) else relative
