"""The store: artifacts by fingerprint, and the only code that knows where they lie.

<root>/artifacts/<slot>/<fingerprint>/                       sealed: complete, hashed, never written again
<root>/artifacts/<slot>/<fingerprint>.partial/files/         being made
<root>/artifacts/<slot>/<fingerprint>.partial/checkpoints/   what lets an attempt that was ended go on
<root>/artifacts/<slot>/<fingerprint>.lock                   there while a run looks for it or makes it
<root>/artifacts/<slot>/<fingerprint>.quarantined-N/               damaged, or not what is sealed; kept to be looked at
<root>/artifacts/<slot>/....deleting/                        one of these on its way out
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from components import Artifact, Stored
from components.base.errors import ConfigError, IntegrityError, JobError
from components.io.atomic import flush_tree, rename_durably
from components.runtime.disk import DISK_FULL_ERRNOS, disk_full_error
from components.runtime.locks import acquire
from job.pipeline.slots import SLOTS
from job.store.fingerprint import FingerprintInputs
from job.store.integrity import list_files, verify
from job.store.manifest import MANIFEST, REMEDY_RERUN, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

Kind = Literal["sealed", "partial", "lock", "quarantined", "deleting"]
NAME = re.compile(r"([0-9a-f]{64})(?:\.(partial|lock|quarantined)(?:-\d+)?)?(\.deleting)?", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """Something of the store's in the folder of a slot."""

    slot: str
    fingerprint: str
    kind: Kind
    path: Path


@dataclass(frozen=True)
class SealedArtifact:
    """A sealed artifact: its manifest and its directory."""

    slot: str
    manifest: Manifest
    directory: Path

    def stored(self) -> Stored[Any]:
        """Return what a component gets to read."""
        return Stored(artifact=self.manifest.artifact, directory=self.directory)


@dataclass(frozen=True)
class Staging:
    """Where an artifact is being made."""

    files: Path
    """What will be sealed; empty at the beginning."""
    checkpoints: Path
    """What earlier attempts left to go on from, if it is there."""


class Store:
    """The artifacts below one root directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artifacts = root / "artifacts"

    def check_exists(self) -> None:
        """See that there is a store to look at.

        Raises:
            ConfigError: if there is none.
        """
        if not self.artifacts.is_dir():
            raise ConfigError(
                f"{self.root} has no artifacts", expected="a root of the job", remedy="name it with --root"
            )

    def prepare(self, slots: Iterable[str]) -> None:
        """Make the folders of some slots, writable.

        Raises:
            ConfigError: if that cannot be.
            StorageError: if there is no space even for that.
        """
        for slot in slots:
            make_writable(self.artifacts / slot)

    def locked(
        self, slot: str, fingerprint: str, *, owner: str, on_wait: Callable[[str], None], check: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Let one run at a time look for, make or remove an artifact; see `components.runtime.locks.acquire`."""
        return acquire(self.lock(slot, fingerprint), owner=owner, on_wait=on_wait, check=check)

    def find(self, slot: str, fingerprint: str) -> SealedArtifact | None:
        """Return the sealed artifact of that fingerprint, every file of it verified, or None.

        Raises:
            IntegrityError: if it is there but not what its manifest says.
        """
        directory = self.directory(slot, fingerprint)
        if not os.path.lexists(directory):
            return None
        sealed = self.read(slot, directory)
        verify(directory, sealed.manifest)
        return sealed

    def read(self, slot: str, directory: Path) -> SealedArtifact:
        """Return the sealed artifact in a directory, its manifest verified but not its files.

        Raises:
            IntegrityError: if the manifest is missing, damaged, or of another fingerprint.
        """
        path = directory / MANIFEST
        try:
            for of, is_kind in ((directory, stat.S_ISDIR), (path, stat.S_ISREG)):
                if not is_kind(of.lstat().st_mode):
                    raise IntegrityError(
                        f"{of} is {'a link' if of.is_symlink() else 'not what it should be'}",
                        expected=f"a {'folder' if of == directory else 'regular file'}",
                        remedy=REMEDY_RERUN,
                    )
            content = path.read_bytes()
        except OSError as error:
            raise IntegrityError(
                f"{path} cannot be read: {error.strerror}",
                expected="the manifest of a sealed artifact",
                remedy=REMEDY_RERUN,
            ) from error
        manifest = Manifest.from_bytes(content, where=str(path))
        if manifest.fingerprint != directory.name:
            raise IntegrityError(
                f"{path} has the fingerprint {manifest.fingerprint}",
                expected=f"that of its directory, {directory.name}",
                remedy=REMEDY_RERUN,
            )
        return SealedArtifact(slot, manifest, directory)

    def sealed_directories(self) -> Iterator[tuple[str, Path]]:
        """Yield the slot and directory of everything sealed, in a fixed order."""
        return ((entry.slot, entry.path) for entry in self.entries() if entry.kind == "sealed")

    def entries(self) -> Iterator[Entry]:
        """Yield all that is the store's own, sealed or not, in a fixed order."""
        for slot in SLOTS:
            folder = self.artifacts / slot
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if match := NAME.fullmatch(path.name):
                    fingerprint, kind, deleting = match.groups()
                    yield Entry(slot, fingerprint, cast("Kind", "deleting" if deleting else kind or "sealed"), path)

    def remove(self, entry: Entry) -> None:
        """Remove an entry: moved out of the way first, so that nobody takes half of it for the whole."""
        path = entry.path
        if path.is_symlink() or path.is_file():
            path.unlink()
            return
        if entry.kind != "deleting":
            place = path.with_name(f"{path.name}.deleting")
            if place.exists():  # an earlier removal was cut short
                shutil.rmtree(place)
            path = path.rename(place)
        shutil.rmtree(path)

    def closest(self, slot: str, key: FingerprintInputs) -> FingerprintInputs | None:
        """Return the key of the slot's sealed artifacts that differs least, of equals the newest."""
        directories = []
        for of, directory in self.sealed_directories():
            with suppress(OSError):  # another run may set it aside, or remove it
                if of == slot:
                    directories.append((directory.lstat().st_mtime, directory))
        recipes = []
        for _, directory in sorted(directories, reverse=True):
            with suppress(IntegrityError):
                recipes.append(self.read(slot, directory).manifest.fingerprint_inputs)
        return min(recipes, key=lambda other: len(key.differences(other)), default=None)

    @contextmanager
    def staged(self, slot: str, fingerprint: str) -> Iterator[Staging]:
        """Stage an artifact for as long as the block runs.

        What an unfinished attempt left unsealed goes, at the beginning and, whatever ends the
        block, at the end. Checkpoints stay until the artifact is sealed.
        """
        partial, stage = self.partial(slot, fingerprint), self._stage(slot, fingerprint)
        if stage.files.exists():
            shutil.rmtree(stage.files)
        stage.files.mkdir(parents=True)
        try:
            yield stage
        finally:
            shutil.rmtree(stage.files, ignore_errors=True)
            if not (stage.checkpoints.is_dir() and any(stage.checkpoints.iterdir())):
                shutil.rmtree(partial, ignore_errors=True)

    def seal(
        self, slot: str, key: FingerprintInputs, artifact: Artifact, warning: Callable[[str], None]
    ) -> SealedArtifact:
        """Seal what was staged: hash and flush every file, write the manifest last, rename once.

        What is sealed and whole is never replaced: another run may be reading it. If the same key gave
        other content now, that is set aside. What is damaged is set aside itself.

        Args:
            slot: the component's slot.
            key: how it was made.
            artifact: what it is.
            warning: told if the content is not what it was before.

        Raises:
            JobError: if the artifact names a file that is not there, or a file is none.
        """
        files = self._stage(slot, key.fingerprint).files
        for name in artifact.file_names():
            if not (files / name).exists():
                raise JobError(
                    f"{key.producer.component} names the file {name}, but did not write it",
                    expected="every file that an artifact names below context.output",
                    remedy="correct the component",
                )
        manifest = Manifest.create(key, list_files(files), artifact)
        (files / MANIFEST).write_bytes(manifest.to_bytes())
        flush_tree(files)
        directory = self.directory(slot, key.fingerprint)
        try:
            sealed = self.find(slot, key.fingerprint)
        except IntegrityError:
            self.quarantine(slot, key.fingerprint)
            sealed = None
        if sealed is None:
            rename_durably(files, directory)
            sealed = SealedArtifact(slot, manifest, directory)
        elif sealed.manifest != manifest:
            aside = files.rename(self._free_name(directory))
            warning(
                f"{key.producer.component} did not make what it made before from the same key: "
                f"{directory} stays, and what was made now is set aside as {aside}"
            )
        shutil.rmtree(self._stage(slot, key.fingerprint).checkpoints, ignore_errors=True)
        return sealed

    def quarantine(self, slot: str, fingerprint: str) -> Path:
        """Move a sealed directory out of the way, where nothing reads it, and return where it is now."""
        directory = self.directory(slot, fingerprint)
        aside = directory.rename(self._free_name(directory))
        with suppress(OSError):  # a link that leads nowhere
            os.utime(aside)  # its age is that of having been set aside
        return aside

    def _free_name(self, directory: Path) -> Path:
        number = 1
        while (aside := directory.with_name(f"{directory.name}.quarantined-{number}")).exists():
            number += 1
        return aside

    def _stage(self, slot: str, fingerprint: str) -> Staging:
        partial = self.partial(slot, fingerprint)
        return Staging(files=partial / "files", checkpoints=partial / "checkpoints")

    def directory(self, slot: str, fingerprint: str) -> Path:
        """Return where the artifact of that fingerprint is, or would be."""
        return self.artifacts / slot / fingerprint

    def partial(self, slot: str, fingerprint: str) -> Path:
        """Return where the artifact of that fingerprint is made."""
        return self.artifacts / slot / f"{fingerprint}.partial"

    def lock(self, slot: str, fingerprint: str) -> Path:
        """Return the lock of that fingerprint."""
        return self.artifacts / slot / f"{fingerprint}.lock"


def make_writable(folder: Path) -> None:
    """Make a folder, and see now rather than after an hour that it can be written to.

    Raises:
        ConfigError: if it cannot.
        StorageError: if there is no space even for that.
    """
    probe = folder / f".writable-{secrets.token_hex(4)}"  # not the process's number: in containers that is always 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        if error.errno in DISK_FULL_ERRNOS:
            raise disk_full_error(folder) from error
        raise ConfigError(
            f"cannot write to the root at {error.filename or folder}: {error.strerror}",
            expected="a folder that the job may write to",
            remedy="name another with --root, or give the user that runs the job permission",
        ) from error
