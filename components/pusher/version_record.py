"""Record of a version in object storage: decides who has a number, and what a killed push still has to copy."""

from typing import Literal

from components.artifacts import Servable
from components.artifacts.base import Count, FileName, Sha256, Statement

RECORDS = ".versions"
"""Folder of the records. A model server skips names that are not numbers."""
STAGING = ".staging"
"""Folder of uploaded files that are not copied to their version yet."""


class RecordedFile(Statement):
    """One file of a version."""

    size: Count
    sha256: Sha256
    tag: str | None = None
    """Of the object in the version's folder, when the version was complete: while it has this tag, it is unchanged."""


class VersionRecord(Statement):
    """One number of a destination: created if no other process has it, then changed by compare-and-swap."""

    schema_version: Literal[1] = 1
    state: Literal["publishing", "published", "abandoned"]
    """While it is `publishing`, each process that adds versions completes it first. `abandoned` if it cannot be."""
    staging: FileName
    """The folder below `STAGING` that has the files; random, so that no two processes write the same record."""
    servable: Servable | None
    rolled_back: tuple[Sha256, ...]
    files: dict[str, RecordedFile]

    @property
    def staging_folder(self) -> str:
        """The key of the folder with its files."""
        return f"{STAGING}/{self.staging}"


def record_key(number: int) -> str:
    """Return the key of the record of a number."""
    return f"{RECORDS}/{number}.json"


def record_number(name: str) -> int | None:
    """Return the number of a record by the name of its file; None for another file.

    >>> record_number("3.json"), record_number("3.json.bak")
    (3, None)
    """
    stem, dot, extension = name.partition(".")
    return int(stem) if extension == "json" and stem.isascii() and stem.isdigit() and dot else None
