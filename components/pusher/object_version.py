"""One version in object storage."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from components.base.hashing import file_sha256, value_sha256
from components.object_storage.objects import ObjectInfo, Objects
from components.object_storage.url import ObjectUrl
from components.pusher.metadata import METADATA_FILES, ROLLBACK_FILE, RolledBackFrom, parse
from components.pusher.servable import SAVED_MODEL_FILE
from components.pusher.version_record import VersionRecord
from components.pusher.versions import Version
from components.runtime.disk import disk_space_guard


@dataclass(frozen=True)
class ObjectVersion(Version):
    """A version in object storage.

    Its files are unchanged if they have the tags of its record. Other files are downloaded and hashed.
    """

    directory: ObjectUrl
    objects: Objects
    """Those of the destination."""
    stored: Mapping[str, ObjectInfo]
    """Its objects, by their names in the version."""
    record: VersionRecord | None
    """None if it was copied from elsewhere."""
    recorded: datetime | None
    """When the record was written last."""

    @property
    def is_publishing(self) -> bool:
        return self.record is not None and self.record.state == "publishing"

    @cached_property
    def content(self) -> str:
        if self.record is not None and self.is_publishing:
            return content_digest({name: file.sha256 for name, file in self.record.files.items()})
        digests = self._recorded_digests()
        unknown = [name for name in self.stored if name not in digests and name not in METADATA_FILES]
        with self._downloaded(unknown) as folder:
            return content_digest(digests | {name: file_sha256(folder / name) for name in unknown})

    @property
    def has_saved_model(self) -> bool:
        return self.is_publishing or SAVED_MODEL_FILE in self.stored

    @property
    def published(self) -> datetime:
        # The main file appears last.
        main = self.stored.get(SAVED_MODEL_FILE)
        times = [info.modified for info in ([main] if main is not None else self.stored.values())]
        return max([*times, *([] if times or self.recorded is None else [self.recorded])]).replace(microsecond=0)

    @property
    def size(self) -> int:
        return sum(info.size for info in self.stored.values())

    def rolled_back(self) -> tuple[str, ...]:
        if self.record is not None and self.is_publishing:
            return self.record.rolled_back
        if ROLLBACK_FILE not in self.stored or (found := self.objects.read(self._key(ROLLBACK_FILE))) is None:
            return ()
        return parse(RolledBackFrom, found.data, self.directory / ROLLBACK_FILE).content_sha256

    @contextmanager
    def files(self) -> Iterator[Path]:
        with self._downloaded(self.stored) as folder:
            yield folder

    def _recorded_digests(self) -> dict[str, str]:
        """Return the SHA-256 of each file that has the tag of the record."""
        recorded = {} if self.record is None else self.record.files
        return {
            name: recorded[name].sha256
            for name, info in self.stored.items()
            if name in recorded and recorded[name].tag == info.tag
        }

    @contextmanager
    def _downloaded(self, names: Iterable[str]) -> Iterator[Path]:
        """Download files to a temporary folder for the block."""
        from components.object_storage.reports import report_transfer
        from components.object_storage.transfer import Transfer, download_files

        wanted, digests = sorted(names), self._recorded_digests()
        size = sum(self.stored[name].size for name in wanted)
        with tempfile.TemporaryDirectory(prefix="mnist-job-") as temporary:
            folder = Path(temporary)
            transfers = [Transfer(folder / name, self._key(name), digests.get(name)) for name in wanted]
            text = f"downloading {self.directory}"
            with (
                disk_space_guard(folder, size, f"the files of {self.directory}"),
                report_transfer(text, files=len(wanted), size=size) as on_bytes,
            ):
                download_files(self.objects, transfers, on_bytes=on_bytes)
            yield folder

    def _key(self, name: str) -> str:
        return f"{self.directory.prefix.rpartition('/')[2]}/{name}"


def content_digest(digests: Mapping[str, str]) -> str:
    """Return the digest that `servable_digest` returns for files with these digests, by their names."""
    return value_sha256({name: digests[name] for name in sorted(digests) if name not in METADATA_FILES})
