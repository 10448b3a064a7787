"""Metadata files of a version: what it is, and which models it was rolled back from."""

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError

from components.artifacts import Servable
from components.artifacts.base import Sha256, Statement
from components.base.errors import IntegrityError, first_validation_error
from components.object_storage.location import Location

STATEMENT_FILE = "assets.extra/pushed.json"
"""The statement of a servable. TensorFlow does not read `assets.extra`."""
ROLLBACK_FILE = "assets.extra/rolled_back.json"
"""Only in a version that a rollback published: the models that no job may publish again by itself."""
METADATA_FILES = (STATEMENT_FILE, ROLLBACK_FILE)

NO_FILE_ERRNOS = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
"""The errors of a path at which there can be no file. After any other, there may be one."""
StatementT = TypeVar("StatementT", bound=Statement)


class RolledBackFrom(Statement):
    """The content digests of all models that were rolled back from since the last push."""

    schema_version: Literal[1] = 1
    content_sha256: tuple[Sha256, ...]


def write_statement(servable: Servable, directory: Path) -> None:
    """Write the statement of a servable into its directory."""
    _write(servable, directory / STATEMENT_FILE)


def read_statement(directory: Path) -> Servable | None:
    """Return the statement of a servable; None only if it has no such file.

    Raises:
        IntegrityError: if the file is damaged, or was written by another version of the job.
        OSError: if it cannot be read.
    """
    return _read(Servable, directory / STATEMENT_FILE)


def write_rolled_back(digests: Sequence[str], directory: Path) -> None:
    """Write which models were rolled back from; without digests, delete the file that the copied version had."""
    path = directory / ROLLBACK_FILE
    if digests:
        _write(RolledBackFrom(content_sha256=tuple(digests)), path)
    else:
        path.unlink(missing_ok=True)


def read_rolled_back(directory: Path) -> tuple[str, ...]:
    """Return the content digests of the models that a version was rolled back from (errors: see `read_statement`)."""
    found = _read(RolledBackFrom, directory / ROLLBACK_FILE)
    return () if found is None else found.content_sha256


def _read(kind: type[StatementT], path: Path) -> StatementT | None:
    try:
        content = path.read_bytes() if stat.S_ISREG(path.stat().st_mode) else b""
    except OSError as error:
        if error.errno in NO_FILE_ERRNOS and not os.path.islink(path):  # noqa: PTH114  (False for a long name)
            return None
        raise
    return parse(kind, content, path)


def parse(kind: type[StatementT], content: bytes, place: Location) -> StatementT:
    """Return the statement in the content of a metadata file; raise IntegrityError if it is damaged."""
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise IntegrityError(
            f"{place} is damaged, or of another version of the job: {first_validation_error(error)}",
            expected="the file as this version of the job writes it",
            remedy="restore the file, or remove its version: nothing is published until then",
        ) from error


def to_bytes(statement: Statement) -> bytes:
    """Return the content of a metadata file."""
    return (statement.model_dump_json(indent=2) + "\n").encode()


def _write(statement: Statement, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(to_bytes(statement))
