"""Metadata files of a version: what it is, and which models it was rolled back from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from components.artifacts import Servable
from components.artifacts.base import Sha256, Statement

STATEMENT_FILE = "assets.extra/pushed.json"
"""The statement of a servable. TensorFlow does not read `assets.extra`."""
ROLLBACK_FILE = "assets.extra/rolled_back.json"
"""Only in a version that a rollback published: the models that no job may publish again by itself."""
METADATA_FILES = (STATEMENT_FILE, ROLLBACK_FILE)
NO_STATEMENT_ERRORS = (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValidationError)
"""The file is missing or not valid. Other errors, such as a missing permission, are raised."""


class RolledBackFrom(Statement):
    """The content digests of all models that were rolled back from since the last push."""

    schema_version: Literal[1] = 1
    content_sha256: tuple[Sha256, ...]


def write_statement(servable: Servable, directory: Path) -> None:
    """Write the statement of a servable into its directory."""
    _write(servable, directory / STATEMENT_FILE)


def read_statement(directory: Path) -> Servable | None:
    """Return the statement of a servable; None if it is missing or not valid. Raise OSError if it cannot be read."""
    try:
        return Servable.model_validate_json((directory / STATEMENT_FILE).read_bytes())
    except NO_STATEMENT_ERRORS:
        return None


def write_rolled_back(digests: Sequence[str], directory: Path) -> None:
    """Write which models were rolled back from; without digests, delete the file that the copied version had."""
    path = directory / ROLLBACK_FILE
    if digests:
        _write(RolledBackFrom(content_sha256=tuple(digests)), path)
    else:
        path.unlink(missing_ok=True)


def read_rolled_back(directory: Path) -> tuple[str, ...]:
    """Return the content digests of the models that a version was rolled back from."""
    try:
        return RolledBackFrom.model_validate_json((directory / ROLLBACK_FILE).read_bytes()).content_sha256
    except NO_STATEMENT_ERRORS:
        return ()


def _write(statement: Statement, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(statement.model_dump_json(indent=2) + "\n", encoding="utf-8")
