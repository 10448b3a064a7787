"""The store: artifacts by fingerprint, and the only code that knows where they lie.

<root>/artifacts/<slot>/<fingerprint>/                       sealed: complete, hashed, never written again
<root>/artifacts/<slot>/<fingerprint>.partial/files/         being made
<root>/artifacts/<slot>/<fingerprint>.partial/checkpoints/   what lets an attempt that was ended go on
<root>/artifacts/<slot>/<fingerprint>.lock                   there while a run looks for it or makes it
<root>/artifacts/<slot>/<fingerprint>.aside-N/               was sealed, but damaged or replaced; kept to be looked at
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import Artifact, Stored
from components.errors import ConfigError, IntegrityError, JobError
from components.runtime.disk import FULL, disk_full, flush
from job.integrity import list_files, verify
from job.locks import hold
from job.manifest import MANIFEST, RERUN, Manifest, Recipe
from job.slots import SLOTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

PARTIAL = ".partial"
ASIDE = ".aside-"
LOCK = ".lock"


@dataclass(frozen=True)
class Sealed:
    """A sealed artifact: its manifest and its directory."""

    slot: str
    manifest: Manifest
    directory: Path

    def stored(self) -> Stored[Any]:
        """Return what a component gets to read."""
        return Stored(artifact=self.manifest.artifact, directory=self.directory)


@dataclass(frozen=True)
class Stage:
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

    def prepare(self) -> None:
        """Make the folders of all slots, writable.

        Raises:
            ConfigError: if that cannot be.
            StorageError: if there is no space even for that.
        """
        for slot in SLOTS:
            make_writable(self.artifacts / slot)

    def locked(
        self, slot: str, fingerprint: str, *, holder: str, waiting: Callable[[str], None], check: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Let one run at a time look for, make or remove an artifact; see `job.locks.hold`."""
        return hold(self.lock(slot, fingerprint), holder=holder, waiting=waiting, check=check)

    def find(self, slot: str, fingerprint: str) -> Sealed | None:
        """Return the sealed artifact of that fingerprint, every file of it verified, or None.

        Raises:
            IntegrityError: if it is there but not what its manifest says.
        """
        directory = self.directory(slot, fingerprint)
        if not directory.exists() and not directory.is_symlink():
            return None
        sealed = self.read(slot, directory)
        verify(directory, sealed.manifest)
        return sealed

    def read(self, slot: str, directory: Path) -> Sealed:
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
                        remedy=RERUN,
                    )
            content = path.read_bytes()
        except OSError as error:
            raise IntegrityError(
                f"{path} cannot be read: {error.strerror}",
                expected="the manifest of a sealed artifact",
                remedy=RERUN,
            ) from error
        manifest = Manifest.from_bytes(content, where=str(path))
        if manifest.fingerprint != directory.name:
            raise IntegrityError(
                f"{path} has the fingerprint {manifest.fingerprint}",
                expected=f"that of its directory, {directory.name}",
                remedy=RERUN,
            )
        return Sealed(slot, manifest, directory)

    def sealed_directories(self) -> Iterator[tuple[str, Path]]:
        """Yield the slot and directory of everything sealed, in a fixed order."""
        return ((slot, entry) for slot, entry in self.entries() if "." not in entry.name)

    def entries(self) -> Iterator[tuple[str, Path]]:
        """Yield the slot and path of all that lies in the slots' folders, sealed or not, in a fixed order."""
        for slot in SLOTS:
            folder = self.artifacts / slot
            if folder.is_dir():
                yield from ((slot, entry) for entry in sorted(folder.iterdir()))

    def closest(self, slot: str, recipe: Recipe) -> Recipe | None:
        """Return the recipe of the slot's sealed artifacts that differs least, of equals the newest."""
        directories = [directory for of, directory in self.sealed_directories() if of == slot]
        recipes = []
        for directory in sorted(directories, key=lambda path: path.lstat().st_mtime, reverse=True):
            with suppress(IntegrityError):
                recipes.append(self.read(slot, directory).manifest.recipe)
        return min(recipes, key=lambda other: len(recipe.differences(other)), default=None)

    @contextmanager
    def staged(self, slot: str, fingerprint: str) -> Iterator[Stage]:
        """Stage an artifact for as long as the block runs.

        What an unfinished attempt left unsealed goes, at the beginning and, whatever ends the
        block, at the end. Checkpoints stay until the artifact is sealed.
        """
        partial = self.partial(slot, fingerprint)
        stage = Stage(files=partial / "files", checkpoints=partial / "checkpoints")
        if stage.files.exists():
            shutil.rmtree(stage.files)
        stage.files.mkdir(parents=True)
        try:
            yield stage
        finally:
            shutil.rmtree(stage.files, ignore_errors=True)
            sealed = self.directory(slot, fingerprint).exists()
            if sealed or not (stage.checkpoints.is_dir() and any(stage.checkpoints.iterdir())):
                shutil.rmtree(partial, ignore_errors=True)

    def seal(self, slot: str, recipe: Recipe, artifact: Artifact) -> Sealed:
        """Seal what was staged: hash and flush every file, write the manifest last, rename once.

        Where the same fingerprint is sealed already with the same content, that one stays; one
        with other content is set aside first.

        Raises:
            JobError: if the artifact names a file that is not there, or a file is none.
        """
        files = self.partial(slot, recipe.fingerprint) / "files"
        for name in artifact.file_names():
            if not (files / name).exists():
                raise JobError(
                    f"{recipe.component} names the file {name}, but did not write it",
                    expected="every file that an artifact names below context.output",
                    remedy="correct the component",
                )
        manifest = Manifest.create(recipe, list_files(files), artifact)
        for entry in manifest.files:
            flush(files / entry.path)
        path = files / MANIFEST
        path.write_bytes(manifest.to_bytes())
        flush(path)
        for folder, _, _ in os.walk(files):
            flush(Path(folder))
        directory = self.directory(slot, recipe.fingerprint)
        if directory.exists():
            if self._holds(slot, directory, manifest):
                return Sealed(slot, manifest, directory)
            self.set_aside(slot, recipe.fingerprint)
        files.rename(directory)
        flush(directory.parent)
        return Sealed(slot, manifest, directory)

    def set_aside(self, slot: str, fingerprint: str) -> Path:
        """Move a sealed directory out of the way, where nothing reads it, and return where it is now."""
        directory = self.directory(slot, fingerprint)
        number = 1
        while (aside := directory.with_name(f"{fingerprint}{ASIDE}{number}")).exists():
            number += 1
        return directory.rename(aside)

    def _holds(self, slot: str, directory: Path, manifest: Manifest) -> bool:
        try:
            sealed = self.read(slot, directory)
            verify(directory, sealed.manifest)
        except IntegrityError:
            return False
        return sealed.manifest == manifest

    def directory(self, slot: str, fingerprint: str) -> Path:
        """Return where the artifact of that fingerprint is, or would be."""
        return self.artifacts / slot / fingerprint

    def partial(self, slot: str, fingerprint: str) -> Path:
        """Return where the artifact of that fingerprint is made."""
        return self.artifacts / slot / f"{fingerprint}{PARTIAL}"

    def lock(self, slot: str, fingerprint: str) -> Path:
        """Return the lock of that fingerprint."""
        return self.artifacts / slot / f"{fingerprint}{LOCK}"


def make_writable(folder: Path) -> None:
    """Make a folder, and see now rather than after an hour that it can be written to.

    Raises:
        ConfigError: if it cannot.
        StorageError: if there is no space even for that.
    """
    probe = folder / f".writable-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(folder) from error
        raise ConfigError(
            f"cannot write to the root at {error.filename or folder}: {error.strerror}",
            expected="a folder that the job may write to",
            remedy="name another with --root, or give the user that runs the job permission",
        ) from error
