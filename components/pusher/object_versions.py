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
from components.object_storage.objects import Content, ObjectInfo, Objects
from components.object_storage.open import open_objects
from components.object_storage.transfer import Transfer, upload_files
from components.object_storage.url import ObjectUrl
from components.pusher.metadata import ROLLBACK_FILE, STATEMENT_FILE, RolledBackFrom, parse, read_statement, to_bytes
from components.pusher.object_version import ObjectVersion, content_digest, in_parallel
from components.pusher.servable import SAVED_MODEL_FILE, list_files
from components.pusher.version_record import RECORDS, STAGING, RecordedFile, VersionRecord, record_key, record_number
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
    _staged: _Staged | None = None

    def __post_init__(self) -> None:
        self.objects = open_objects(self.destination)

    def check(self) -> None:
        check_write_access(self.objects)

    def read(self) -> VersionList:
        top, records = in_parallel(self.objects.list_folder, ("", RECORDS))
        folders = {name: number for name in top.folders if (number := version_number(name)) is not None}
        recorded = {number for info in records.objects if (number := record_number(_name(info))) is not None}
        # The folder of a new version does not exist yet; nor, if it was deleted, that of an old one.
        folders |= {str(number): number for number in recorded - {*folders.values()}}
        found = in_parallel(lambda name: self._read_version(name, has_record=folders[name] in recorded), folders)
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
        incomplete = [version for version in versions.versions if _is_publishing(version)]
        for version in incomplete:
            self._complete(version.number)
        return self.read() if incomplete else versions

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
        if not self.objects.create(record_key(number), to_bytes(record)):
            return None
        self._staged = None  # from here on, it belongs to the record
        if not self._complete(number):
            raise JobError(
                f"another process deleted what this one uploaded to {self.destination / record.staging_folder}",
                expected=f"a push that ends within {STAGING_LIFE}",
                remedy="run the same command again",
            )
        self._delete_abandoned_uploads(number)
        return self._read_version(str(number), has_record=True)

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

        upload_files(
            self.objects,
            [Transfer(source / name, f"{STAGING}/{staged.name}/{name}") for name in names],
            on_bytes=lambda _: termination.check(),
        )
        return staged

    def _complete(self, number: int) -> bool:
        """Copy the files of a recorded version to its folder; return whether the version is published."""
        key, folder = record_key(number), f"{number}/"
        record, content = self._read_record(number)
        if record is None or content is None or record.state != "publishing":
            return record is not None and record.state == "published"
        if record.rolled_back:
            self.objects.upload(to_bytes(RolledBackFrom(content_sha256=record.rolled_back)), folder + ROLLBACK_FILE)
        others = [name for name in record.files if name != SAVED_MODEL_FILE]
        present = self._files(str(number))
        for names in (others, [SAVED_MODEL_FILE]):
            missing = [name for name in names if not _has_size(present, name, record)]
            copied = in_parallel(
                lambda name: self.objects.copy(f"{record.staging_folder}/{name}", folder + name), missing
            )
            present = self._files(str(number))
            if all(copied) and all(_has_size(present, name, record) for name in names):
                continue
            return self._abandon(number, content)
        files = {name: file.model_copy(update={"tag": present[name].tag}) for name, file in record.files.items()}
        published = record.model_copy(update={"state": "published", "files": files})
        self.objects.replace(key, to_bytes(published), content.tag)  # None: another process has completed it
        self._delete_folder(record.staging_folder)
        return True

    def _abandon(self, number: int, seen: Content) -> bool:
        """Give up a version whose files are gone; return True if another process has published it."""
        record, content = self._read_record(number)
        if record is None or content is None or record.state != "publishing":
            return record is not None and record.state == "published"
        abandoned = record.model_copy(update={"state": "abandoned"})
        if content.tag == seen.tag and self.objects.replace(record_key(number), to_bytes(abandoned), content.tag):
            self._delete_folder(str(number))
        return False

    def _read_version(self, name: str, *, has_record: bool) -> ObjectVersion | None:
        """Return a version, also one that cannot be read; None if it has no files, and is not about to have them."""
        number, error = int(name), None
        stored = self._files(name)
        record = content = servable = None
        try:
            if has_record:
                record, content = self._read_record(number)
            if record is not None and record.state == "publishing":
                servable = record.servable
            elif not stored and record is not None:
                return None
            elif STATEMENT_FILE in stored:
                servable = self._read_statement(name, stored[STATEMENT_FILE], record)
        except IntegrityError as raised:
            error = raised
        if not stored and error is None and content is None:
            return None
        return ObjectVersion(
            number=number,
            directory=self.destination / name,
            servable=servable,
            statement_error=error,
            objects=self.objects,
            stored=stored,
            record=record,
            recorded=None if content is None else content.modified,
        )

    def _read_statement(self, name: str, info: ObjectInfo, record: VersionRecord | None) -> Servable | None:
        if record is not None and STATEMENT_FILE in record.files and record.files[STATEMENT_FILE].tag == info.tag:
            return record.servable
        found = self.objects.read(f"{name}/{STATEMENT_FILE}")
        return None if found is None else parse(Servable, found.data, self.destination / name / STATEMENT_FILE)

    def _read_record(self, number: int) -> tuple[VersionRecord | None, Content | None]:
        content = self.objects.read(record_key(number))
        if content is None:
            return None, None
        return parse(VersionRecord, content.data, self.destination / record_key(number)), content

    def _files(self, folder: str) -> dict[str, ObjectInfo]:
        """Return the objects of a folder by their names in it."""
        return {info.key.removeprefix(f"{folder}/"): info for info in self.objects.list(f"{folder}/")}

    def _delete_staged(self) -> None:
        if self._staged is not None:
            self._delete_folder(f"{STAGING}/{self._staged.name}")
            self._staged = None

    def _delete_abandoned_uploads(self, number: int) -> None:
        """Delete what killed processes uploaded before they had a number."""
        if not (staged := self.objects.list(f"{STAGING}/")):
            return
        record = self.objects.info(record_key(number))
        for folder in {info.key.split("/")[1] for info in staged}:
            files = [info for info in staged if info.key.startswith(f"{STAGING}/{folder}/")]
            if record is not None and max(info.modified for info in files) < record.modified - STAGING_LIFE:
                self.objects.delete(info.key for info in files)

    def _delete_folder(self, folder: str) -> None:
        self.objects.delete(info.key for info in self.objects.list(f"{folder}/"))


def read_object_statement(directory: ObjectUrl) -> Servable | None:
    """Return the statement of a published version; raise IntegrityError if it is damaged."""
    found = open_objects(directory).read(STATEMENT_FILE)
    return None if found is None else parse(Servable, found.data, directory / STATEMENT_FILE)


def _is_publishing(version: Version) -> bool:
    return isinstance(version, ObjectVersion) and version.is_publishing


def _has_size(present: Mapping[str, ObjectInfo], name: str, record: VersionRecord) -> bool:
    return name in present and present[name].size == record.files[name].size


def _name(info: ObjectInfo) -> str:
    return info.key.rpartition("/")[2]
