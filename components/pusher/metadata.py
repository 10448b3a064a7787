"""What a version says of itself, in files beside the model: what it is, and from which models was rolled back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from components.artifacts import Servable
from components.artifacts.base import Sha256, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STATEMENT = "assets.extra/pushed.json"
"""Where a servable says what it is: what lies in `assets.extra` is no concern of the model's."""
ROLLED_BACK = "assets.extra/rolled_back.json"
"""Where a version that was published by rolling back says from which models, so that no job brings them back."""
STATEMENTS = (STATEMENT, ROLLED_BACK)
SILENCE = (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValidationError)
"""Where nothing is said, or nothing that can be understood."""


class RolledBackFrom(Statement):
    """The content of each model that was served since the last push and is not to be any more."""

    schema_version: Literal[1] = 1
    content_sha256: tuple[Sha256, ...]


def write_statement(servable: Servable, directory: Path) -> None:
    """Write what a servable is into its directory, the same bytes for the same statement."""
    path = directory / STATEMENT
    path.parent.mkdir(exist_ok=True)
    path.write_text(servable.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_statement(directory: Path) -> Servable | None:
    """Return what a servable says that it is; None where it says nothing that can be understood.

    Raises:
        OSError: if what it says cannot be read.
    """
    try:
        return Servable.model_validate_json((directory / STATEMENT).read_bytes())
    except SILENCE:
        return None


def write_rolled_back(digests: Sequence[str], directory: Path) -> None:
    """Write from which models was rolled back into a version that is being made; without any, that it was not."""
    path = directory / ROLLED_BACK
    if not digests:
        path.unlink(missing_ok=True)  # of the version that it is a copy of
        return
    path.parent.mkdir(exist_ok=True)
    stated = RolledBackFrom(content_sha256=tuple(digests))
    path.write_text(stated.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_rolled_back(directory: Path) -> tuple[str, ...]:
    """Return the content of the models that a version was rolled back from; none where it says nothing of it.

    Raises:
        OSError: if what it says cannot be read.
    """
    try:
        return RolledBackFrom.model_validate_json((directory / ROLLED_BACK).read_bytes()).content_sha256
    except SILENCE:
        return ()
