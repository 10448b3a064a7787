"""Records of versions in object storage: each reserves a number, and lists the files of its version."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from components.artifacts import Servable
from components.artifacts.base import Count, FileName, Sha256, Statement
from components.base.errors import ResourceError
from components.object_storage.objects import Content, ObjectInfo, Objects
from components.object_storage.parallel import in_parallel
from components.object_storage.settings import storage_settings
from components.pusher.metadata import ROLLBACK_FILE, RolledBackFrom, parse, to_bytes
from components.pusher.servable import SAVED_MODEL_FILE

RECORDS = ".versions"
"""Folder of the records. A model server skips names that are not numbers."""
STAGING = ".staging"
"""Folder of uploaded files that are not copied to their version yet."""
COPY_POLL_SECONDS = 0.5


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


@dataclass(frozen=True)
class VersionRecords:
    """The records of a destination."""

    objects: Objects

    def read(self, number: int) -> tuple[VersionRecord, Content] | None:
        """Return the record of a number, and its object; None if there is none.

        Raises:
            IntegrityError: if it is damaged, or was written by another version of the job.
        """
        content = self.objects.read(_key(number))
        return (
            None if content is None else (parse(VersionRecord, content.data, self.objects.url / _key(number)), content)
        )

    def create(self, number: int, record: VersionRecord) -> bool:
        """Create the record of a number; return False if another process has."""
        return self.objects.create(_key(number), to_bytes(record))

    def written(self, number: int) -> datetime | None:
        """Return when the record of a number was written, by the clock of the store."""
        found = self.objects.info(_key(number))
        return None if found is None else found.modified

    def complete(self, number: int) -> bool:
        """Copy the files of a version to its folder, the main file last; return whether the version is published."""
        if (found := self.read(number)) is None or found[0].state != "publishing":
            return found is not None and found[0].state == "published"
        record, content = found
        if record.rolled_back:
            rolled_back = RolledBackFrom(content_sha256=record.rolled_back)
            self.objects.upload(to_bytes(rolled_back), f"{number}/{ROLLBACK_FILE}")
        others = [name for name in record.files if name != SAVED_MODEL_FILE]
        present = list_folder(self.objects, str(number))
        for names in (others, [SAVED_MODEL_FILE]):
            missing = [name for name in names if not _is_there(name, present, record)]
            if not self._copy(missing, record, number):
                return self._abandon(number)
            present = self._wait_for(names, record, number)
        files = {
            name: file.model_copy(update={"tag": present[name].tag if name in present else None})
            for name, file in record.files.items()
        }
        published = record.model_copy(update={"state": "published", "files": files})
        if self.objects.replace(_key(number), to_bytes(published), content.tag) is None:
            return self._is_published(number)
        self.objects.delete(f"{record.staging_folder}/{name}" for name in record.files)
        return True

    def _copy(self, names: Sequence[str], record: VersionRecord, number: int) -> bool:
        """Copy files to the folder of a version; return False if one is gone."""
        sources = [f"{record.staging_folder}/{name}" for name in names]
        targets = [f"{number}/{name}" for name in names]
        return all(in_parallel(lambda keys: self.objects.copy(*keys), zip(sources, targets, strict=True)))

    def _wait_for(self, names: Sequence[str], record: VersionRecord, number: int) -> dict[str, ObjectInfo]:
        """Wait until copies are complete, and return all files of a version; Azure may copy after it has responded."""
        end = time.monotonic() + storage_settings().timeout
        while True:
            present = list_folder(self.objects, str(number))
            if all(_is_there(name, present, record) for name in names):
                return present
            if time.monotonic() > end:
                raise ResourceError(
                    f"the store has not copied all files to {self.objects.url / str(number)}",
                    expected=f"{len(record.files)} files",
                    remedy="run the same command again",
                )
            time.sleep(COPY_POLL_SECONDS)

    def _abandon(self, number: int) -> bool:
        """Give up a version whose uploaded files are gone; return True if another process has published it before."""
        if (found := self.read(number)) is not None and found[0].state == "publishing":
            record, content = found
            abandoned = to_bytes(record.model_copy(update={"state": "abandoned"}))
            if self.objects.replace(_key(number), abandoned, content.tag) is not None:
                delete_folder(self.objects, str(number))
                return False
        return self._is_published(number)

    def _is_published(self, number: int) -> bool:
        return (found := self.read(number)) is not None and found[0].state == "published"


def list_folder(objects: Objects, folder: str) -> dict[str, ObjectInfo]:
    """Return all objects below a folder by their names in it."""
    return {info.key.removeprefix(f"{folder}/"): info for info in objects.list(f"{folder}/")}


def delete_folder(objects: Objects, folder: str) -> None:
    """Delete all objects below a folder."""
    objects.delete(info.key for info in objects.list(f"{folder}/"))


def record_number(name: str) -> int | None:
    """Return the number of a record by the name of its file; None for another file.

    >>> record_number("3.json"), record_number("3.json.bak")
    (3, None)
    """
    stem, _, extension = name.partition(".")
    return int(stem) if extension == "json" and stem.isascii() and stem.isdigit() else None


def _key(number: int) -> str:
    return f"{RECORDS}/{number}.json"


def _is_there(name: str, present: Mapping[str, ObjectInfo], record: VersionRecord) -> bool:
    return name in present and present[name].size == record.files[name].size
