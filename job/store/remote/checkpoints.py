"""Checkpoints in object storage: another machine continues from the newest that is complete.

artifacts/<slot>/<fingerprint>.partial/<attempt>/<SHA-256>         the content of a file
artifacts/<slot>/<fingerprint>.partial/000003-<attempt>.json       a record: all files of the local folder

A record is written after the content of its files. One whose files are not all there is incomplete, and skipped.
Records have consecutive numbers, so that no clock decides which is the newest.
"""

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from components.artifacts import Statement
from components.artifacts.base import Count, Sha256
from components.base.errors import IntegrityError, first_validation_error
from components.base.formatting import format_size
from components.base.progress import Progress
from components.object_storage import Objects
from components.object_storage.transfer import Transfer, download_files

RECORD_NAME = re.compile(r"(\d{6,})-([0-9a-f]{16})\.json", re.ASCII)


def _relative(path: str) -> str:
    if not path or PurePosixPath(path).is_absolute() or {"", ".", ".."} & {*path.split("/")}:
        raise ValueError("the path of a file is not below the folder")
    return path


class SavedFile(Statement):
    """A file of the folder of checkpoints."""

    path: Annotated[str, AfterValidator(_relative)]
    size: Count
    sha256: Sha256
    attempt: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    """The attempt that uploaded the content."""

    @property
    def key(self) -> str:
        """Key of the content below the folder of all checkpoints."""
        return f"{self.attempt}/{self.sha256}"


class CheckpointRecord(Statement):
    """The content of a record."""

    schema_version: Literal[1] = 1
    files: tuple[SavedFile, ...]


@dataclass(frozen=True)
class SavedCheckpoint:
    """A record, and its name."""

    name: str
    files: tuple[SavedFile, ...]

    @property
    def keys(self) -> set[str]:
        """Keys of the record and of its files."""
        return {self.name, *(file.key for file in self.files)}


def number_of(name: str) -> int:
    """Return the number in the name of a record; 0 for another object."""
    match = RECORD_NAME.fullmatch(name)
    return int(match[1]) if match else 0


def attempt_of(name: str) -> str:
    """Return the attempt in the name of a record; an empty text for another object."""
    match = RECORD_NAME.fullmatch(name)
    return match[2] if match else ""


def record_name(number: int, attempt: str) -> str:
    """Return the name of a record."""
    return f"{number:06}-{attempt}.json"


class RemoteCheckpoints:
    """The checkpoints of one artifact in object storage. Keys are relative to their folder.

    Args:
        folder: key of the folder.
    """

    def __init__(self, objects: Objects, folder: str) -> None:
        self._objects, self._folder = objects, folder

    @property
    def url(self) -> str:
        """URL of the folder."""
        return str(self._objects.url / self._folder)

    def list(self) -> dict[str, int]:
        """Return the size of each object by its key."""
        prefix = f"{self._folder}/"
        return {info.key.removeprefix(prefix): info.size for info in self._objects.list(prefix)}

    def exist(self) -> bool:
        """Return whether there is a record."""
        return any(map(number_of, self.list()))

    def download(self, listed: dict[str, int], folder: Path, progress: Progress) -> SavedCheckpoint | None:
        """Download the files of the newest complete record into a new folder; return None if there is none.

        Incomplete and damaged ones are skipped with a warning.
        """
        records = names_newest_first(listed)
        for name in records:
            shutil.rmtree(folder, ignore_errors=True)
            try:
                found = self.read(name)
                if any(listed.get(file.key) != file.size for file in found.files):
                    raise IntegrityError(f"{self.url}/{name} is incomplete", expected="a record with all of its files")
                folder.mkdir(parents=True)
                self._download(found, folder)
            except IntegrityError as error:
                progress.warning(f"{error.headline}; this checkpoint is not used")
            else:
                size = format_size(sum(file.size for file in found.files))
                progress.message(f"downloaded the last checkpoint ({size}) from {self.url}")
                return found
        if records:
            progress.warning(f"no checkpoint in {self.url} is intact")
        return None

    def upload(self, source: Path, key: str, check: Callable[[int], None]) -> None:
        """Upload a file; what `check` raises ends the upload."""
        self._objects.upload(source, f"{self._folder}/{key}", on_bytes=check)

    def write(self, saved: SavedCheckpoint) -> None:
        """Write a record, after the content of its files."""
        content = CheckpointRecord(files=saved.files).model_dump_json(indent=2).encode() + b"\n"
        self._objects.upload(content, f"{self._folder}/{saved.name}")

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects."""
        self._objects.delete([f"{self._folder}/{key}" for key in keys])

    def read(self, name: str) -> SavedCheckpoint:
        """Return a record; raise IntegrityError if it does not exist or is damaged."""
        content = self._objects.read(f"{self._folder}/{name}")
        if content is None:
            raise IntegrityError(f"{self.url}/{name} was deleted", expected="a record of checkpoints")
        try:
            return SavedCheckpoint(name, CheckpointRecord.model_validate_json(content.data).files)
        except ValidationError as error:
            problem = f"{self.url}/{name} is damaged: {first_validation_error(error)}"
            raise IntegrityError(problem, expected="a record of checkpoints") from error

    def _download(self, found: SavedCheckpoint, folder: Path) -> None:
        download_files(
            self._objects,
            [Transfer(folder / file.path, f"{self._folder}/{file.key}", file.sha256) for file in found.files],
        )


def names_newest_first(keys: Iterable[str]) -> list[str]:
    """Return the names of records, the newest first."""
    return sorted(filter(number_of, keys), key=lambda name: (number_of(name), name), reverse=True)
