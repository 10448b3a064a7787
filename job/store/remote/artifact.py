"""A sealed artifact in object storage."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.errors import IntegrityError, JobError, ResourceError
from components.object_storage import ObjectUrl
from job.store.manifest import damaged
from job.store.remote.sealing import DAMAGED, SUFFIX, Sealing
from job.store.sealed import SealedArtifact

if TYPE_CHECKING:
    from job.store.remote.root import RemoteRoot


@dataclass(frozen=True)
class RemoteArtifact(SealedArtifact):
    """A sealed artifact whose files are downloaded when they are needed."""

    root: "RemoteRoot" = field(kw_only=True, compare=False, repr=False)
    find: Callable[[str, str], SealedArtifact | None] = field(kw_only=True, compare=False, repr=False)
    """That of its store."""

    @property
    def modified(self) -> float:
        return self.directory.with_suffix(SUFFIX).stat().st_mtime  # later downloads change that of the folder

    def fetch(self, *names: str) -> None:
        """Make all files local, or only those of some names, and verify them.

        Raises:
            IntegrityError: if a file in the store is missing or damaged; the next look-up finds that, too.
            ResourceError: if the artifact was deleted or replaced since it was found.
            StorageError: if the cache has no room.
        """
        sealing = self._local_sealing()
        try:
            self.root.files.fetch(self.directory, self.manifest, self._prefix(sealing), names, self.hashed)
        except IntegrityError as error:
            self._report(error, sealing)

    def verify(self) -> None:
        """Check every file: the local ones if this process uses them, otherwise those in the store.

        Raises:
            IntegrityError: if a file is missing or damaged.
        """
        if self._is_local():
            super().verify()
            return
        sealing = self._local_sealing()
        try:
            self.root.files.verify(self.manifest, self._prefix(sealing))
        except IntegrityError as error:
            self._report(error, sealing)

    def check(self) -> None:
        """Check the local files if this process uses them; otherwise, that those in the store exist.

        Raises:
            IntegrityError: if a file is missing, has another size, or was found damaged.
        """
        if self._is_local():
            super().verify()
        elif self.find(self.slot, self.manifest.fingerprint) is None:
            address = self.root.address(self.directory)
            raise damaged(f"{address} does not exist", expected="a sealed artifact")

    def _is_local(self) -> bool:
        paths = (self.directory / entry.path for entry in self.manifest.files)
        return self.root.files.is_in_use(self.directory) and all(path.is_file() for path in paths)

    def _report(self, error: IntegrityError, sealing: Sealing) -> None:
        """Raise the error for files that differ from the manifest, and mark them as damaged for every machine."""
        root = self.root
        key = root.key(self.directory)
        content = root.objects.read(key + SUFFIX)
        present = None if content is None else Sealing.from_bytes(content.data, where=str(root.url / (key + SUFFIX)))
        if present is None or (present.state, present.attempt) != ("sealed", sealing.attempt):
            raise ResourceError(
                f"{root.url / key} was deleted or replaced while it was used",
                expected="an artifact that exists until the command ends",
                remedy="run the same command again",
            ) from error
        with suppress(JobError):  # without permission to write
            root.objects.create(f"{key}/{sealing.attempt}{DAMAGED}", f"{error.headline}\n".encode())
        raise damage_of(root.url / key, sealing.attempt, error.headline, expected=error.expected) from error

    def _local_sealing(self) -> Sealing:
        return read_local_sealing(self.directory)

    def _prefix(self, sealing: Sealing) -> str:
        return f"{self.root.key(self.directory)}/{sealing.attempt}/"


def damage_of(url: ObjectUrl, attempt: str, problem: str, *, expected: str) -> IntegrityError:
    """Return the error for a damaged artifact: its URL comes first, then what is wrong with which file."""
    return damaged(f"{url} is damaged: {problem.removeprefix(f'{url / attempt}/')}", expected=expected)


def read_local_sealing(directory: Path) -> Sealing:
    """Return the sealing object of an artifact, from its local copy."""
    path = directory.with_suffix(SUFFIX)
    try:
        return Sealing.from_bytes(path.read_bytes(), where=str(path))
    except OSError as error:
        raise damaged(f"{path} cannot be read: {error.strerror}", expected="the sealing object") from error
