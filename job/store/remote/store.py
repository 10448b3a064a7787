"""The store of a remote root: artifacts are sealed in object storage, and their files are local while they are used."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.progress import NO_PROGRESS, Progress
from components.io.atomic import rename_durably
from components.runtime.locks import HeldLock, acquire
from job.store.hashed_file import HashedFile
from job.store.manifest import Manifest, damaged
from job.store.remote.checkpoints import RemoteCheckpoints
from job.store.remote.mirror import apply
from job.store.remote.sealing import SUFFIX, Sealing, new_id
from job.store.remote.staging import shared_checkpoints
from job.store.store import SealedArtifact, Staging, Store

if TYPE_CHECKING:
    from job.store.remote.root import RemoteRoot


@dataclass(frozen=True)
class RemoteArtifact(SealedArtifact):
    """A sealed artifact whose files are downloaded when they are needed."""

    root: "RemoteRoot | None" = field(default=None, compare=False, repr=False)

    @property
    def modified(self) -> float:
        return self.directory.with_suffix(SUFFIX).stat().st_mtime  # later downloads change that of the folder

    def fetch(self, *names: str) -> None:
        """Download the files that are not local, or only those of some names, and verify them."""
        assert self.root is not None  # noqa: S101
        with acquire(self.directory.with_name(f"{self.directory.name}.download")):
            sealing = _read_local(self.directory)
            for entry in self.manifest.files:
                path = self.directory / entry.path
                if (names and entry.path not in names) or (path.is_file() and path.stat().st_size == entry.size):
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                key = f"{self.root.key(self.directory)}/{sealing.attempt}/{entry.path}"
                self.root.objects.download(key, path, sha256=entry.sha256)
            if not names:
                super().verify()

    def verify(self) -> None:
        """Check every file if all are local; files are also checked when they are downloaded."""
        if all((self.directory / entry.path).is_file() for entry in self.manifest.files):
            super().verify()


def _read_local(directory: Path) -> Sealing:
    path = directory.with_suffix(SUFFIX)
    try:
        return Sealing.from_bytes(path.read_bytes(), where=str(path))
    except OSError as error:
        raise damaged(f"{path} cannot be read: {error.strerror}", expected="the sealing object") from error


class RemoteStore(Store):
    """The artifacts below a remote root."""

    def __init__(self, remote: "RemoteRoot") -> None:
        super().__init__(remote.path)
        self.remote = remote
        self.objects = remote.objects

    def acquire(
        self,
        slot: str,
        fingerprint: str,
        *,
        owner: str,
        on_wait: Callable[[str], None] | None = None,
        check: Callable[[], None] | None = None,
    ) -> AbstractContextManager[HeldLock]:
        """Return a block in which no other process produces the artifact; a sealed one needs no lease."""
        lock = self.lock(slot, fingerprint)
        if self._sealing(slot, fingerprint) is not None:
            return acquire(lock, owner=owner, on_wait=on_wait, check=check)
        return self.remote.acquire(lock, owner=owner, on_wait=on_wait, check=check)

    def find(self, slot: str, fingerprint: str) -> SealedArtifact | None:
        """Return the sealed artifact, or None; raise IntegrityError if one of its files is missing or has another size.

        The contents of its files are verified when they are downloaded.
        """
        directory = self.directory(slot, fingerprint)
        key = self.remote.key(directory)
        files = self.remote.pool.submit(self.objects.list, f"{key}/")
        sealing = self._sealing(slot, fingerprint)
        if sealing is None:
            return None
        sealed = self.read(slot, directory)
        sizes = {info.key.removeprefix(f"{key}/{sealing.attempt}/"): info.size for info in files.result()}
        for entry in sealed.manifest.files:
            if sizes.get(entry.path) != entry.size:
                where = self.remote.url / f"{key}/{sealing.attempt}/{entry.path}"
                found = "does not exist" if entry.path not in sizes else f"has {sizes[entry.path]:,} bytes"
                raise damaged(f"{where} {found}", expected=f"a file of {entry.size:,} bytes")
        return sealed

    def read(self, slot: str, directory: Path) -> SealedArtifact:
        sealed = super().read(slot, directory)
        return RemoteArtifact(sealed.slot, sealed.manifest, sealed.directory, sealed.hashed, root=self.remote)

    @contextmanager
    def staged(self, slot: str, fingerprint: str, progress: Progress = NO_PROGRESS) -> Iterator[Staging]:
        remote = self.checkpoints(slot, fingerprint)
        with (
            super().staged(slot, fingerprint, progress) as staging,
            shared_checkpoints(staging, remote, progress) as shared,
        ):
            yield shared

    def has_checkpoints(self, slot: str, fingerprint: str) -> bool:
        return super().has_checkpoints(slot, fingerprint) or self.checkpoints(slot, fingerprint).exist()

    def checkpoints(self, slot: str, fingerprint: str) -> RemoteCheckpoints:
        """Return the checkpoints of an artifact in object storage."""
        return RemoteCheckpoints(self.objects, self.remote.key(self.partial(slot, fingerprint)))

    def _sealing(self, slot: str, fingerprint: str) -> Sealing | None:
        """Return the present sealing object of a sealed artifact, and update its local copy; None if there is none."""
        content = self.objects.read(self._sealing_key(slot, fingerprint))
        if content is None:
            return None
        sealing = Sealing.from_bytes(content.data, where=str(self.remote.url / self._sealing_key(slot, fingerprint)))
        apply(self.root, self._sealing_key(slot, fingerprint), content)
        return sealing if sealing.is_sealed else None

    def _sealing_key(self, slot: str, fingerprint: str) -> str:
        return self.remote.key(self.directory(slot, fingerprint)) + SUFFIX

    def _publish(
        self, staging: Staging, manifest: Manifest, hashed: dict[str, HashedFile], warn: Callable[[str], None]
    ) -> SealedArtifact:
        """Upload the staged files, and create the sealing object; the first machine that does so wins."""
        slot, fingerprint, files = staging.slot, manifest.fingerprint, staging.files
        directory = self.directory(slot, fingerprint)
        attempt, key = new_id(), self._sealing_key(slot, fingerprint)
        prefix = f"{self.remote.key(directory)}/{attempt}/"
        for entry in manifest.files:
            self.objects.upload(files / entry.path, prefix + entry.path)
        sealing = Sealing(state="sealed", attempt=attempt, manifest=manifest.to_bytes().decode())
        if not self._create(key, sealing):
            self.objects.delete([prefix + entry.path for entry in manifest.files])
            found = self.find(slot, fingerprint)
            if found is None:
                raise damaged(f"{self.remote.url / key} changed while it was sealed", expected="one writer")
            if found.manifest != manifest:
                warn(
                    f"{manifest.producer.component} is not deterministic: the same fingerprint gave another result. "
                    f"{self.remote.address(directory)} is kept, the new result is discarded"
                )
                return found
        self._sealing(slot, fingerprint)
        shutil.rmtree(directory, ignore_errors=True)
        rename_durably(files, directory)
        return RemoteArtifact(slot, manifest, directory, hashed, root=self.remote)

    def _create(self, key: str, sealing: Sealing) -> bool:
        """Create a sealing object, or replace a tombstone; return whether the object is this one."""
        if self.objects.create(key, sealing.to_bytes()):
            return True
        found = self.objects.read(key)
        if found is None or Sealing.from_bytes(found.data, where=str(self.remote.url / key)).is_sealed:
            return False
        return self.objects.replace(key, sealing.to_bytes(), found.tag) is not None

    def quarantine(self, slot: str, fingerprint: str) -> Path:
        """Replace the sealing object by a tombstone; the files stay until gc deletes them."""
        key = self._sealing_key(slot, fingerprint)
        if (found := self.objects.read(key)) is not None:
            sealing = Sealing.from_bytes(found.data, where=str(self.remote.url / key))
            self.objects.replace(key, Sealing(state="quarantined", attempt=sealing.attempt).to_bytes(), found.tag)
            self._sealing(slot, fingerprint)
        return self.directory(slot, fingerprint)
