"""The files of a servable: copied, told apart by a digest, and described in one of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pydantic import ValidationError

from components.artifacts import Servable
from components.digests import file_sha256, value_sha256

DIRECTORY = "servable"
"""What an artifact calls the directory of a version that is to be published."""
STATEMENT = "assets.extra/pushed.json"
"""Where a servable says what it is: what lies in `assets.extra` is no concern of the model's."""


def list_files(directory: Path) -> list[str]:
    """Return every file below a directory, relative to it with `/`, in a fixed order."""
    found = (Path(folder, name) for folder, _, names in os.walk(directory) for name in names)
    return sorted(path.relative_to(directory).as_posix() for path in found)


def content_digest(directory: Path) -> str:
    """Return the SHA-256 over names and contents of the files that are served, the statement left out."""
    return value_sha256({name: file_sha256(directory / name) for name in list_files(directory) if name != STATEMENT})


def copy_files(source: Path, target: Path) -> None:
    """Copy what is in a directory into a new one: contents only, so that modes and times are the new one's own."""
    target.mkdir()
    for name in list_files(source):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def size_of(directory: Path) -> int:
    """Return the bytes of all files below a directory."""
    return sum((directory / name).stat().st_size for name in list_files(directory))


def write_statement(servable: Servable, directory: Path) -> None:
    """Write what a servable is into its directory, the same bytes for the same statement."""
    path = directory / STATEMENT
    path.parent.mkdir(exist_ok=True)
    path.write_text(servable.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_statement(directory: Path) -> Servable | None:
    """Return what a servable says that it is; None where it says nothing that can be understood."""
    try:
        return Servable.model_validate_json((directory / STATEMENT).read_bytes())
    except (OSError, ValidationError):
        return None
