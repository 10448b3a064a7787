"""The store: artifacts on disk, by fingerprint. No other module decides where they are.

<root>/artifacts/<slot>/<fingerprint>/                       sealed: complete, hashed, immutable
<root>/artifacts/<slot>/<fingerprint>.partial/files-XXXXXXXX/ in progress
<root>/artifacts/<slot>/<fingerprint>.partial/checkpoints/   progress of an interrupted attempt, to resume it
<root>/artifacts/<slot>/<fingerprint>.lock                   exists while a run uses the artifact
<root>/artifacts/<slot>/<fingerprint>.quarantined-N/         damaged, or different from the sealed artifact
<root>/artifacts/<slot>/....deleting/                        one of these while it is deleted
<root>/artifacts/steps/<custom step>/...                     the same for custom steps
"""

import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Literal, cast

from components import Artifact
from components.base.errors import ConfigError, IntegrityError, JobError
from components.base.progress import NO_PROGRESS, Progress
from components.io.atomic import flush_tree, rename_durably
from components.runtime.locks import HeldLock
from job.pipeline.slots import SLOTS
from job.pipeline.steps import STEPS
from job.store.file_system import check_file_system, ensure_writable
from job.store.fingerprint import FingerprintInputs
from job.store.hashed_file import HashedFile
from job.store.manifest import MANIFEST, Manifest, SchemaVersionError, damaged, file_entries, hash_files
from job.store.measure import Measured, measure
from job.store.root import Root, root_at
from job.store.sealed import SealedArtifact, read_sealed
from job.store.staging import Staging

ARTIFACTS = "artifacts"
CHECKPOINTS = "checkpoints"
EntryKind = Literal["sealed", "partial", "lock", "quarantined", "deleting"]
ENTRY_NAME = re.compile(r"([0-9a-f]{64})(?:\.(partial|lock|quarantined)(?:-\d+)?)?(\.deleting)?", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """A file or folder of the store in the folder of a slot."""

    slot: str
    fingerprint: str
    kind: EntryKind
    path: Path


class Store:
    """The artifacts below one root directory.

    >>> import tempfile
    >>> store = Store(Path(tempfile.mkdtemp()))
    >>> store.find("trainer", "0" * 64) is None, list(store.entries())
    (True, [])
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artifacts = root / ARTIFACTS
        self.steps = self.artifacts / STEPS
        self._root: Root = root_at(root)

    def check_exists(self) -> None:
        """Raise ConfigError if the root has no artifacts."""
        if not self.artifacts.is_dir():
            problem = f"{self.root} has no artifacts"
            raise ConfigError(problem, expected="a root of the job", remedy="name it with --root")

    def prepare(self, slots: Iterable[str]) -> None:
        """Create the folders of some slots, and check that they are writable and on a suitable file system."""
        check_file_system(self.root)
        for slot in slots:
            ensure_writable(self.folder(slot))

    def release(self) -> None:
        """Called when a run ends: the files of its artifacts are not in use any more."""

    def find(self, slot: str, fingerprint: str) -> SealedArtifact | None:
        """Return the sealed artifact, or None; raise IntegrityError if any of its files differs from its manifest."""
        directory = self.directory(slot, fingerprint)
        if not os.path.lexists(directory):
            return None
        sealed = self.read(slot, directory)
        sealed.verify()
        return sealed

    def read(self, slot: str, directory: Path) -> SealedArtifact:
        """Return an artifact without verifying its files; raise IntegrityError if its manifest is damaged."""
        sealed = read_sealed(slot, directory)
        if (fingerprint := sealed.manifest.fingerprint) != directory.name:
            problem = f"{directory / MANIFEST} has the fingerprint {fingerprint}"
            raise damaged(problem, expected=f"the name of its directory, {directory.name}")
        return sealed

    def slots(self) -> list[str]:
        """Return the slots, and the custom steps that have a folder."""
        return [*SLOTS, *(sorted(folder.name for folder in self.steps.iterdir()) if self.steps.is_dir() else ())]

    def folder(self, slot: str) -> Path:
        """Return the folder of the artifacts of a slot or custom step."""
        return (self.artifacts if slot in SLOTS else self.steps) / slot

    def entries(self) -> Iterator[Entry]:
        """Yield every file and folder of the store, sorted; files of others are skipped."""
        for slot in self.slots():
            folder = self.folder(slot)
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if match := ENTRY_NAME.fullmatch(path.name):
                    fingerprint, suffix, deleting = match.groups()
                    kind = cast("EntryKind", "deleting" if deleting else suffix or "sealed")
                    yield Entry(slot, fingerprint, kind, path)

    def sealed_directories(self) -> Iterator[tuple[str, Path]]:
        """Yield the slot and directory of every sealed artifact, sorted."""
        return ((entry.slot, entry.path) for entry in self.entries() if entry.kind == "sealed")

    def sealed_artifacts(self) -> Iterator[SealedArtifact]:
        """Yield every sealed artifact with an undamaged manifest, sorted."""
        for slot, directory in self.sealed_directories():
            with suppress(IntegrityError):
                yield self.read(slot, directory)

    def newest_first(self, slot: str) -> list[SealedArtifact]:
        """Return the sealed artifacts of a slot with an undamaged manifest, the newest first."""
        dated: list[tuple[float, SealedArtifact]] = []
        for other_slot, directory in self.sealed_directories():
            if other_slot == slot:
                with suppress(IntegrityError, OSError):  # another run may move or delete it
                    sealed = self.read(slot, directory)
                    dated.append((sealed.modified, sealed))
        return [sealed for _, sealed in sorted(dated, key=itemgetter(0), reverse=True)]

    def check_replaceable(self, slot: str, fingerprint: str) -> None:
        """Raise SchemaVersionError if another version of the job sealed this artifact. It is never replaced."""
        directory = self.directory(slot, fingerprint)
        if os.path.lexists(directory):
            try:
                self.read(slot, directory)
            except SchemaVersionError:
                raise
            except IntegrityError:  # sealing quarantines it
                pass

    @contextmanager
    def staged(self, slot: str, fingerprint: str, progress: Progress = NO_PROGRESS) -> Iterator[Staging]:  # noqa: ARG002
        """Provide the folders to produce an artifact in, and delete its unsealed files before and after the block.

        Checkpoints are kept until the artifact is sealed.

        Args:
            progress: receives messages about checkpoints.

        Raises:
            SchemaVersionError: if another version of the job sealed this artifact. It is never replaced.
        """
        self.check_replaceable(slot, fingerprint)
        partial = self.partial(slot, fingerprint)
        for left in partial.glob("files*"):
            shutil.rmtree(left, ignore_errors=True)
        staging = Staging(slot, partial / f"files-{secrets.token_hex(4)}", partial / CHECKPOINTS)
        staging.files.mkdir(parents=True)
        try:
            yield staging
        finally:
            shutil.rmtree(staging.files, ignore_errors=True)
            for folder in (staging.checkpoints, partial):
                with suppress(OSError):  # missing or, as with checkpoints, not empty
                    folder.rmdir()

    def seal(
        self, staging: Staging, key: FingerprintInputs, artifact: Artifact, warn: Callable[[str], None]
    ) -> SealedArtifact:
        """Seal the staged files: hash them, write the manifest last, flush everything, and rename once.

        A sealed artifact that verifies is never replaced, because another run may be reading it. If the same
        fingerprint now gives other content, the new content is quarantined with a warning. A damaged artifact is
        quarantined itself.

        Raises:
            JobError: if the artifact names a file that does not exist, or is not a regular file.
        """
        files, component = staging.files, key.producer.component
        for name in artifact.file_names():
            if not (files / name).exists():
                raise JobError(
                    f"{component} names the file {name}, but did not write it",
                    expected="every file that an artifact names below context.output",
                    remedy="correct the component",
                )
        hashed = hash_files(files)
        manifest = Manifest.create(key, file_entries(hashed), artifact)
        (files / MANIFEST).write_bytes(manifest.to_bytes())
        flush_tree(files)
        sealed = self._publish(staging, manifest, hashed, warn)
        staging.discard_checkpoints()
        return sealed

    def _publish(
        self, staging: Staging, manifest: Manifest, hashed: dict[str, HashedFile], warn: Callable[[str], None]
    ) -> SealedArtifact:
        """Make the staged files the sealed artifact, unless there is one that verifies."""
        slot, files, directory = staging.slot, staging.files, self.directory(staging.slot, manifest.fingerprint)
        try:
            sealed = self.find(slot, manifest.fingerprint)
        except SchemaVersionError:
            raise
        except IntegrityError:
            self.quarantine(slot, manifest.fingerprint)
            sealed = None
        if sealed is None:
            rename_durably(files, directory)
            sealed = SealedArtifact(slot, manifest, directory, hashed)
        elif sealed.manifest != manifest:
            quarantined = files.rename(self._free_name(directory))
            warn(
                f"{manifest.producer.component} is not deterministic: the same fingerprint gave another result. "
                f"{directory} is kept, the new result is quarantined in {quarantined}"
            )
        return sealed

    def quarantine(self, slot: str, fingerprint: str) -> Path:
        """Move a sealed directory to a name where no run reads it; return its new path.

        Checkpoints of later steps are deleted, because they may come from damaged data.
        """
        directory = self.directory(slot, fingerprint)
        quarantined = directory.rename(self._free_name(directory))
        with suppress(OSError):  # a link without a target
            os.utime(quarantined)  # its age counts from now
        self._delete_checkpoints_after(slot)
        return quarantined

    def _delete_checkpoints_after(self, slot: str) -> None:
        """Delete the checkpoints of the steps after a slot; a run at work finds the change of its inputs itself."""
        order = {name: place for place, name in enumerate(SLOTS)}  # a custom step may be anywhere
        for entry in [*self.partial_entries()]:
            if order.get(entry.slot, len(order)) > order.get(slot, -1):
                with self.try_acquire(entry.slot, entry.fingerprint) as free:
                    if free:
                        shutil.rmtree(entry.path / CHECKPOINTS, ignore_errors=True)
                        self._root.removed(entry.path)

    def partial_entries(self) -> Iterator[Entry]:
        """Yield the artifacts in progress, with their checkpoints."""
        return (entry for entry in self.entries() if entry.kind == "partial")

    def measured_entries(self) -> Iterator[tuple[Entry, Measured]]:
        """Yield what `entries` does, with the size and age of each entry."""
        for entry in self.entries():
            if (measured := self.measure(entry)) is not None:
                yield entry, measured

    def measure(self, entry: Entry) -> Measured | None:
        """Return the present size and age of an entry, or None if it is gone."""
        return measure(entry.path)

    def remove(self, entry: Entry, is_needed: Callable[[], bool]) -> bool:  # noqa: ARG002
        """Delete an entry, whose lock is held; return whether it was deleted.

        Args:
            is_needed: returns whether a run refers to the artifact by now. The lock rules that out here.
        """
        # A folder is renamed first, so that no run takes a part of it for the whole.
        path = entry.path
        if path.is_symlink() or path.is_file():
            path.unlink()
            return True
        if entry.kind != "deleting":
            target = path.with_name(f"{path.name}.deleting")
            if target.exists():  # an earlier deletion was interrupted
                shutil.rmtree(target)
            path = path.rename(target)
        shutil.rmtree(path)
        return True

    def directory(self, slot: str, fingerprint: str) -> Path:
        """Return the directory of a sealed artifact."""
        return self.folder(slot) / fingerprint

    def partial(self, slot: str, fingerprint: str) -> Path:
        """Return the directory of an artifact in progress."""
        return self.folder(slot) / f"{fingerprint}.partial"

    def has_checkpoints(self, slot: str, fingerprint: str) -> bool:
        """Return whether the next attempt to produce an artifact continues from checkpoints."""
        return (self.partial(slot, fingerprint) / CHECKPOINTS).is_dir()

    def acquire(
        self,
        slot: str,
        fingerprint: str,
        *,
        owner: str,
        on_wait: Callable[[str], None] | None = None,
        check: Callable[[], None] | None = None,
    ) -> AbstractContextManager[HeldLock]:
        """Return a block in which no other run searches, produces or deletes an artifact; see `Root.acquire`."""
        return self._root.acquire(self.lock(slot, fingerprint), owner=owner, on_wait=on_wait, check=check)

    def try_acquire(self, slot: str, fingerprint: str) -> AbstractContextManager[bool]:
        """Return a block that has the lock of an artifact if it is free; its value is whether that is so."""
        return self._root.try_acquire(self.lock(slot, fingerprint))

    def is_held(self, slot: str, fingerprint: str) -> bool:
        """Return whether a run has the lock of an artifact."""
        return self._root.is_held(self.lock(slot, fingerprint))

    def address(self, path: Path) -> str:
        """Return the path of a file or folder of the store, as messages and records contain it."""
        return self._root.address(path)

    def lock(self, slot: str, fingerprint: str) -> Path:
        """Return the lock file of an artifact, held while a run searches, produces or deletes it."""
        return self.folder(slot) / f"{fingerprint}.lock"

    def _free_name(self, directory: Path) -> Path:
        number = 1
        while (path := directory.with_name(f"{directory.name}.quarantined-{number}")).exists():
            number += 1
        return path
