"""Versions in object storage: uploaded under a hidden name, decided by the record of a number, then copied to it.

Nothing is renamed in object storage, and there is no lock. A push

1. uploads the files to `.staging/<random>/`,
2. creates the record of the next number, `.versions/<number>.json`. Of all processes that create it, one succeeds; the
   others read the versions again. After that, the version exists, even if the process is killed;
3. copies the files to `<number>/` within the store, `saved_model.pb` last. A model server that reads the folder before
   has nothing to load; without the variables, it would load an untrained model;
4. changes the record to `published`, with the tag of each file, and deletes `.staging/<random>/`.

A process that adds a version first completes those whose record is still `publishing`: any process can repeat steps 3
and 4, also at the same time as others.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from components.artifacts import Servable
from components.base.errors import IntegrityError, JobError
from components.base.hashing import file_sha256
from components.base.progress import Progress
from components.base.termination import Termination
from components.object_storage.access import check_write_access
from components.object_storage.objects import ObjectInfo, Objects
from components.object_storage.open import open_objects
from components.object_storage.parallel import in_parallel
from components.object_storage.reports import report_transfer
from components.object_storage.transfer import Transfer, upload_files
from components.object_storage.url import ObjectUrl
from components.pusher.metadata import ROLLBACK_FILE, STATEMENT_FILE, parse, read_statement
from components.pusher.object_version import ObjectVersion, content_digest
from components.pusher.servable import SAVED_MODEL_FILE, list_files
from components.pusher.version_record import (
    RECORDS,
    STAGING,
    RecordedFile,
    VersionRecord,
    VersionRecords,
    delete_folder,
    list_folder,
    record_number,
)
from components.pusher.versions import (
    Version,
    VersionList,
    changed_servable,
    no_saved_model,
    translate_os_errors,
    version_number,
)

STAGING_LIFE = timedelta(days=1)
"""Uploaded files that no record has belong to a killed push after this time, by the clock of the store."""


@dataclass(frozen=True)
class _Staged:
    """Files that this process uploaded."""

    name: str
    digest: str
    servable: Servable | None
    files: Mapping[str, RecordedFile]


@dataclass
class ObjectVersionStore:
    """The versions below a URL."""

    destination: ObjectUrl
    objects: Objects = field(init=False)
    _records: VersionRecords = field(init=False)
    _staged: _Staged | None = None

    def __post_init__(self) -> None:
        self.objects = open_objects(self.destination)
        self._records = VersionRecords(self.objects)

    def check(self) -> None:
        check_write_access(self.objects)

    def read(self) -> VersionList:
        top, records = in_parallel(self.objects.list_folder, ("", RECORDS))
        folders = {name: number for name in top.folders if (number := version_number(name)) is not None}
        recorded = {number for info in records.objects if (number := record_number(_name(info))) is not None}
        # The folder of a new version does not exist yet; nor, if it was deleted, that of an old one.
        folders |= {str(number): number for number in recorded - {*folders.values()}}
        found = in_parallel(self._read_version, folders)
        versions = sorted((version for version in found if version is not None), key=lambda version: version.number)
        names = (version_number(_name(info)) or 0 for info in top.objects)
        exists = bool(top.folders or top.objects)
        return VersionList(self.destination, tuple(versions), max([0, *names, *folders.values()]), exists=exists)

    @contextmanager
    def locked(self, needed: int, progress: Progress, termination: Termination, *, owner: str) -> Iterator[None]:  # noqa: ARG002
        try:
            yield
        except Exception:
            self._delete_staged()
            raise
        self._delete_staged()

    def recover(self) -> VersionList:
        versions = self.read()
        while incomplete := [version.number for version in versions.versions if version.is_publishing]:
            for number in incomplete:
                self._records.complete(number)
            versions = self.read()
        return versions

    def append(
        self, source: Path, digest: str, number: int, termination: Termination, rolled_back: Sequence[str] = ()
    ) -> Version | None:
        staged = self._stage(source, digest, termination)
        record = VersionRecord(
            state="publishing",
            staging=staged.name,
            servable=staged.servable,
            rolled_back=tuple(rolled_back),
            files=dict(staged.files),
        )
        termination.check()
        if not self._records.create(number, record):
            return None
        self._staged = None  # from here on, it belongs to the record
        if not self._records.complete(number):
            raise JobError(
                f"another process deleted what this one uploaded to {self.destination / record.staging_folder}",
                expected="a push that takes less than a day",
                remedy="run the same command again",
            )
        self._delete_abandoned_uploads(number)
        return self._read_version(str(number))

    def _stage(self, source: Path, digest: str, termination: Termination) -> _Staged:
        """Upload the files of a directory to a hidden folder, unless this process has done so."""
        if self._staged is not None and self._staged.digest == digest:
            return self._staged
        self._delete_staged()
        with translate_os_errors(source):
            names = [name for name in list_files(source) if name != ROLLBACK_FILE]
            if SAVED_MODEL_FILE not in names:
                raise no_saved_model(source)
            sizes = {name: (source / name).stat().st_size for name in names}
            files = {name: RecordedFile(size=sizes[name], sha256=file_sha256(source / name)) for name in names}
            if content_digest({name: file.sha256 for name, file in files.items()}) != digest:
                raise changed_servable(source, digest)
            self._staged = staged = _Staged(secrets.token_hex(8), digest, read_statement(source), files)
        transfers = [Transfer(source / name, f"{STAGING}/{staged.name}/{name}") for name in names]
        text = f"uploading to {self.destination}"
        with report_transfer(text, files=len(names), size=sum(sizes.values())) as on_bytes:

            def count(number: int) -> None:
                on_bytes(number)
                termination.check()

            upload_files(self.objects, transfers, on_bytes=count)
        return staged

    def _read_version(self, name: str) -> ObjectVersion | None:
        """Return a version, also one that cannot be read; None if it has no files, and no push adds them."""
        number, record, recorded, error = int(name), None, None, None
        try:
            # First: a version that is published by its record has all its files.
            if (found := self._records.read(number)) is not None:
                record, recorded = found[0], found[1].modified
        except IntegrityError as raised:
            error = raised
        stored = list_folder(self.objects, name)
        servable, is_publishing = None, record is not None and record.state == "publishing"
        if not (stored or is_publishing or error):
            return None
        try:
            if record is not None and is_publishing:
                servable = record.servable
            elif STATEMENT_FILE in stored:
                servable = self._read_statement(name, stored[STATEMENT_FILE], record)
        except IntegrityError as raised:
            error = raised
        return ObjectVersion(
            number=number,
            directory=self.destination / name,
            servable=servable,
            statement_error=error,
            objects=self.objects,
            stored=stored,
            record=record,
            recorded=recorded,
        )

    def _read_statement(self, name: str, info: ObjectInfo, record: VersionRecord | None) -> Servable | None:
        if record is not None and STATEMENT_FILE in record.files and record.files[STATEMENT_FILE].tag == info.tag:
            return record.servable
        found = self.objects.read(f"{name}/{STATEMENT_FILE}")
        return None if found is None else parse(Servable, found.data, self.destination / name / STATEMENT_FILE)

    def _delete_staged(self) -> None:
        if self._staged is not None:
            delete_folder(self.objects, f"{STAGING}/{self._staged.name}")
            self._staged = None

    def _delete_abandoned_uploads(self, number: int) -> None:
        """Delete the uploads of processes that were killed before they had a number."""
        if not (staged := self.objects.list(f"{STAGING}/")):
            return
        now = self._records.written(number)
        for folder in {info.key.split("/")[1] for info in staged}:
            files = [info for info in staged if info.key.startswith(f"{STAGING}/{folder}/")]
            if now is not None and max(info.modified for info in files) < now - STAGING_LIFE:
                self.objects.delete(info.key for info in files)


def read_object_statement(directory: ObjectUrl) -> Servable | None:
    """Return the statement of a published version; raise IntegrityError if it is damaged."""
    found = open_objects(directory).read(STATEMENT_FILE)
    return None if found is None else parse(Servable, found.data, directory / STATEMENT_FILE)


def _name(info: ObjectInfo) -> str:
    return info.key.rpartition("/")[2]
