"""The store of a remote root: artifacts are sealed in object storage, and their files are local while they are used."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.base.errors import IntegrityError, ResourceError
from components.base.progress import NO_PROGRESS, Progress
from components.base.text import printable
from components.object_storage import Content, ObjectInfo
from components.object_storage.parallel import call_all
from components.runtime import locks
from components.runtime.locks import HeldLock
from job.store.hashed_file import HashedFile
from job.store.manifest import Manifest, SchemaVersionError
from job.store.measure import Measured
from job.store.remote.artifact import RemoteArtifact, damage_of, read_local_sealing
from job.store.remote.checkpoints import RemoteCheckpoints
from job.store.remote.entries import RemoteEntries
from job.store.remote.mirror import apply_sealing, write_copy
from job.store.remote.sealing import DAMAGED, SUFFIX, Sealing, new_id
from job.store.remote.sealing_objects import SealingObjects
from job.store.remote.staging import are_unshared, shared_checkpoints
from job.store.sealed import SealedArtifact
from job.store.staging import Staging
from job.store.store import Entry, Store

if TYPE_CHECKING:
    from job.store.remote.root import RemoteRoot

MAX_REASON_LENGTH = 1000
MAX_SEALING_ATTEMPTS = 10


@dataclass(frozen=True)
class Found:
    """The result of one look-up."""

    artifact: SealedArtifact | None = None
    """Sealed, and without known damage."""
    damage: IntegrityError | None = None
    """Why a sealed artifact cannot be used."""
    attempt: str = ""
    """Of the sealing object."""


class RemoteStore(Store):
    """The artifacts below a remote root."""

    def __init__(self, remote: "RemoteRoot") -> None:
        super().__init__(remote.path)
        self._root = self.remote = remote
        self.objects = remote.objects
        self._sealings = SealingObjects(remote)
        self._entries = RemoteEntries(remote, self._sealings)
        self._found: dict[str, Found] = {}
        """Results of look-ups by `acquire`, for the next `find`."""
        self._damaged: dict[str, str] = {}
        """Attempts that `find` reported as damaged."""

    def prepare(self, slots: Iterable[str]) -> None:
        """Check that the store and the cache can be written to; what was read before in this process is released."""
        super().prepare(slots)
        self.release()
        self.remote.check_writable()

    def release(self) -> None:
        self.remote.files.release()

    @contextmanager
    def acquire(
        self,
        slot: str,
        fingerprint: str,
        *,
        owner: str,
        on_wait: Callable[[str], None] | None = None,
        check: Callable[[], None] | None = None,
    ) -> Iterator[HeldLock]:
        """Provide a block in which no other process produces the artifact.

        A sealed artifact needs no lease: it takes one round trip to find it.
        """
        lock, key = self.lock(slot, fingerprint), self._key(slot, fingerprint)
        check = check or (lambda: None)
        lock.parent.mkdir(parents=True, exist_ok=True)
        with locks.acquire(lock, owner=owner, on_wait=on_wait, check=check) as held, ExitStack() as stack:
            found = self._look_up(slot, fingerprint, check)
            is_sealed = found.artifact is not None
            if is_sealed:
                self._found[key] = found
                stack.callback(self._found.pop, key, None)
            else:  # another process may seal it before this one has the lease: `find` reads it again
                stack.enter_context(self.remote.leased(lock, owner=owner, on_wait=on_wait, check=check))
            yield held
            if not is_sealed:
                self.remote.flush()  # the next owner of the lease finds the record that refers to the artifact

    def find(self, slot: str, fingerprint: str) -> SealedArtifact | None:
        """Return the sealed artifact, or None.

        The contents of its files are verified when they are downloaded.

        Raises:
            SchemaVersionError: if another version of the job sealed it.
            IntegrityError: if one of its files is missing, has another size, or was found damaged.
        """
        key = self._key(slot, fingerprint)
        found = self._found.pop(key, None) or self._look_up(slot, fingerprint)
        if found.damage is not None:
            self._damaged[key] = found.attempt
            raise found.damage
        return found.artifact

    def read(self, slot: str, directory: Path) -> SealedArtifact:
        try:
            sealed = super().read(slot, directory)
        except SchemaVersionError:
            raise
        except IntegrityError:  # only the local copy may be damaged
            apply_sealing(read_local_sealing(directory), directory)
            sealed = super().read(slot, directory)
        return RemoteArtifact(sealed.slot, sealed.manifest, sealed.directory, root=self.remote, find=self.find)

    def quarantine(self, slot: str, fingerprint: str) -> Path:
        """Replace the sealing object by a tombstone; return the path whose address is that of the files.

        The files stay until gc deletes them. Checkpoints of later steps are deleted.
        """
        directory, key = self.directory(slot, fingerprint), self._key(slot, fingerprint)
        content, attempt = self.objects.read(key + SUFFIX), self._damaged.pop(key, None)
        try:
            sealing = None if content is None else self._sealings.parse(key, content.data)
        except SchemaVersionError:
            raise
        except IntegrityError:
            sealing = Sealing(state="sealed", attempt="", manifest="")
        # Another machine may have replaced it since this one found the damage.
        if content is not None and sealing is not None and sealing.is_sealed and attempt in (None, sealing.attempt):
            tombstone = sealing.in_state("quarantined")
            if self._sealings.replace(key, tombstone, content.tag) is not None:
                if sealing.attempt:
                    self._sealings.complete(f"{key}/{sealing.attempt}", sealing.manifest)
                self._sealings.apply(key)
        self._delete_checkpoints_after(slot)
        return directory / (sealing.attempt if sealing is not None else "")

    def partial_entries(self) -> Iterator[Entry]:
        """Yield the artifacts in progress of all machines."""
        return self._entries.partial()

    def measured_entries(self) -> Iterator[tuple[Entry, Measured]]:
        """Yield everything in the store, with size and age by the store, and the entries of this machine only."""
        return self._entries.measured()

    def measure(self, entry: Entry) -> Measured | None:
        """Return the present size and age of an entry, or None if its objects and local files are gone."""
        return self._entries.measure(entry)

    def remove(self, entry: Entry, is_needed: Callable[[], bool]) -> bool:
        """Delete an entry, whose lease is held; return whether it was deleted."""
        return self._entries.remove(entry, is_needed)

    @contextmanager
    def staged(self, slot: str, fingerprint: str, progress: Progress = NO_PROGRESS) -> Iterator[Staging]:
        remote = self.checkpoints(slot, fingerprint)
        with (
            super().staged(slot, fingerprint, progress) as staging,
            shared_checkpoints(staging, remote, progress) as shared,
        ):
            yield shared

    def has_checkpoints(self, slot: str, fingerprint: str) -> bool:
        has_local = super().has_checkpoints(slot, fingerprint) and are_unshared(self.partial(slot, fingerprint))
        return has_local or self.checkpoints(slot, fingerprint).exist()

    def checkpoints(self, slot: str, fingerprint: str) -> RemoteCheckpoints:
        """Return the checkpoints of an artifact in object storage."""
        return RemoteCheckpoints(self.objects, self.remote.key(self.partial(slot, fingerprint)))

    def _look_up(self, slot: str, fingerprint: str, check: Callable[[], None] = lambda: None) -> Found:
        """Read the sealing object and list the files, at the same time, and update the local copy."""
        directory, key = self.directory(slot, fingerprint), self._key(slot, fingerprint)
        sealings: list[Content | None] = []
        files: list[ObjectInfo] = []
        call_all(
            [
                lambda: sealings.append(self.objects.read(key + SUFFIX)),
                lambda: files.extend(self.objects.list(f"{key}/")),
            ],
            check,
        )
        if (content := sealings[0]) is None:
            self.remote.forget(key + SUFFIX)
            return Found()
        attempt = ""
        try:
            sealing = self._sealings.parse(key, content.data)
            self.remote.apply(key + SUFFIX, content)
            if not sealing.is_sealed:
                return Found()
            attempt = sealing.attempt
            sealed = self.read(slot, directory)
            self._check_files(sealed.manifest, key, attempt, {info.key: info.size for info in files})
        except IntegrityError as error:
            return Found(damage=error, attempt=attempt)
        return Found(sealed)

    def _check_files(self, manifest: Manifest, key: str, attempt: str, sizes: dict[str, int]) -> None:
        """Raise IntegrityError if a file does not exist, has another size, or was found damaged."""
        if f"{key}/{attempt}{DAMAGED}" in sizes:
            mark = self.objects.read(f"{key}/{attempt}{DAMAGED}")
            reason = "" if mark is None else printable(mark.data.decode(errors="replace").strip(), MAX_REASON_LENGTH)
            expected = "the files that were sealed"
            raise damage_of(self.remote.url / key, attempt, reason or "a file has been changed", expected=expected)
        for entry in manifest.files:
            size = sizes.get(f"{key}/{attempt}/{entry.path}")
            if size != entry.size:
                found = f"{entry.path} does not exist" if size is None else f"{entry.path} has {size:,} bytes"
                expected = f"a file of {entry.size:,} bytes"
                raise damage_of(self.remote.url / key, attempt, found, expected=expected)

    def _publish(
        self, staging: Staging, manifest: Manifest, hashed: dict[str, HashedFile], warn: Callable[[str], None]
    ) -> SealedArtifact:
        """Upload the staged files, and create the sealing object; the first machine that does so wins."""
        slot, fingerprint = staging.slot, manifest.fingerprint
        directory, key = self.directory(slot, fingerprint), self._key(slot, fingerprint)
        own = Sealing(state="sealed", attempt=new_id(), manifest=manifest.to_bytes().decode())
        folder = f"{key}/{own.attempt}"
        self.remote.files.upload(staging.files, manifest, f"{folder}/")
        # An error from here on leaves the uploaded files: the sealing object may be created later.
        for _ in range(MAX_SEALING_ATTEMPTS):
            if self._sealings.create(key, own):
                self.remote.files.keep(staging.files, directory, manifest)
                write_copy(directory.with_suffix(SUFFIX), own.to_bytes())
                return RemoteArtifact(slot, manifest, directory, hashed, root=self.remote, find=self.find)
            try:
                sealed = self.find(slot, fingerprint)
            except SchemaVersionError:
                raise
            except IntegrityError:
                self.quarantine(slot, fingerprint)
                continue
            if sealed is not None:
                break
        else:
            raise ResourceError(
                f"other machines change {self.remote.url / key} at the same time",
                expected="an artifact that other machines do not delete while it is sealed",
                remedy="run the same command again",
            )
        if sealed.manifest == manifest:
            self.objects.delete([f"{folder}/{entry.path}" for entry in manifest.files])
            self.remote.files.keep(staging.files, directory, manifest)
        else:
            self._sealings.complete(folder, own.manifest)
            warn(
                f"{manifest.producer.component} is not deterministic: the same fingerprint gave another result. "
                f"{self.remote.url / key} is kept, the new result is quarantined in {self.remote.url / folder}"
            )
        return sealed

    def _key(self, slot: str, fingerprint: str) -> str:
        """Return the key of an artifact: that of its sealing object without its suffix."""
        return self.remote.key(self.directory(slot, fingerprint))
