"""The store: sealed artifacts by fingerprint, and the only code that knows where they lie.

<root>/artifacts/<slot>/<fingerprint>/           sealed: complete, hashed, never written again
<root>/artifacts/<slot>/<fingerprint>.partial/   being made
<root>/artifacts/<slot>/<fingerprint>.aside-N/   was sealed, but damaged or replaced; kept to be looked at
"""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import Artifact, Stored
from components.digests import file_sha256
from components.errors import ConfigError, IntegrityError, JobError
from job.manifest import RERUN, FileEntry, Manifest, Recipe
from job.slots import SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST = "manifest.json"
HASHING_THREADS = 4
"""hashlib lets other threads run while it hashes; more than the disk can feed gain nothing."""


@dataclass(frozen=True)
class Sealed:
    """A sealed artifact: its manifest and its directory."""

    slot: str
    manifest: Manifest
    directory: Path

    def stored(self) -> Stored[Any]:
        """Return what a component gets to read."""
        return Stored(artifact=self.manifest.artifact, directory=self.directory)


class Store:
    """The artifacts below one root directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artifacts = root / "artifacts"

    def prepare(self) -> None:
        """Make the folders of all slots, writable.

        Raises:
            ConfigError: if that cannot be.
        """
        for slot in SLOTS:
            make_writable(self.artifacts / slot)

    def find(self, slot: str, fingerprint: str) -> Sealed | None:
        """Return the sealed artifact of that fingerprint, every file of it verified, or None.

        Raises:
            IntegrityError: if it is there but not what its manifest says.
        """
        directory = self.directory(slot, fingerprint)
        if not directory.exists():
            return None
        sealed = self.read(slot, directory)
        verify(sealed)
        return sealed

    def read(self, slot: str, directory: Path) -> Sealed:
        """Return the sealed artifact in a directory, its manifest verified but not its files.

        Raises:
            IntegrityError: if the manifest is missing, damaged, or of another fingerprint.
        """
        path = directory / MANIFEST
        try:
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
        for slot in SLOTS:
            folder = self.artifacts / slot
            if folder.is_dir():
                yield from ((slot, entry) for entry in sorted(folder.iterdir()) if "." not in entry.name)

    def closest(self, slot: str, recipe: Recipe) -> Recipe | None:
        """Return the recipe of the slot's sealed artifacts that differs least, of equals the newest."""
        directories = [directory for of, directory in self.sealed_directories() if of == slot]
        recipes = []
        for directory in sorted(directories, key=lambda path: path.stat().st_mtime, reverse=True):
            with suppress(IntegrityError):
                recipes.append(self.read(slot, directory).manifest.recipe)
        return min(recipes, key=lambda other: len(recipe.differences(other)), default=None)

    def stage(self, slot: str, fingerprint: str) -> Path:
        """Return a new, empty directory to make the artifact in; what an unfinished run left goes."""
        partial = self._partial(slot, fingerprint)
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        return partial

    @contextmanager
    def staged(self, slot: str, fingerprint: str) -> Iterator[Path]:
        """Stage for as long as the block runs; what it leaves unsealed goes, whatever ends it."""
        partial = self.stage(slot, fingerprint)
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def seal(self, slot: str, recipe: Recipe, artifact: Artifact) -> Sealed:
        """Seal what was staged: hash and flush every file, write the manifest last, rename once.

        Where the same fingerprint is sealed already with the same content, that one stays; one
        with other content is set aside first.

        Raises:
            JobError: if the artifact names a file that is not there, or a file is none.
        """
        partial = self._partial(slot, recipe.fingerprint)
        for name in artifact.file_names():
            if not (partial / name).exists():
                raise JobError(
                    f"{recipe.component} names the file {name}, but did not write it",
                    expected="every file that an artifact names below context.output",
                    remedy="correct the component",
                )
        manifest = Manifest.create(recipe, list_files(partial), artifact)
        for entry in manifest.files:
            _flush(partial / entry.path)
        path = partial / MANIFEST
        path.write_bytes(manifest.to_bytes())
        _flush(path)
        for folder, _, _ in os.walk(partial):
            _flush(Path(folder))
        directory = self.directory(slot, recipe.fingerprint)
        if directory.exists():
            if self._holds(slot, directory, manifest):
                shutil.rmtree(partial)
                return Sealed(slot, manifest, directory)
            self.set_aside(slot, recipe.fingerprint)
        partial.rename(directory)
        _flush(directory.parent)
        return Sealed(slot, manifest, directory)

    def set_aside(self, slot: str, fingerprint: str) -> Path:
        """Move a sealed directory out of the way, where nothing reads it, and return where it is now."""
        directory = self.directory(slot, fingerprint)
        number = 1
        while (aside := directory.with_name(f"{fingerprint}.aside-{number}")).exists():
            number += 1
        return directory.rename(aside)

    def _holds(self, slot: str, directory: Path, manifest: Manifest) -> bool:
        try:
            sealed = self.read(slot, directory)
            verify(sealed)
        except IntegrityError:
            return False
        return sealed.manifest == manifest

    def directory(self, slot: str, fingerprint: str) -> Path:
        """Return where the artifact of that fingerprint is, or would be."""
        return self.artifacts / slot / fingerprint

    def _partial(self, slot: str, fingerprint: str) -> Path:
        return self.artifacts / slot / f"{fingerprint}.partial"


def make_writable(folder: Path) -> None:
    """Make a folder, and see now rather than after an hour that it can be written to.

    Raises:
        ConfigError: if it cannot.
    """
    probe = folder / f".writable-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"cannot write to the root at {error.filename or folder}: {error.strerror}",
            expected="a folder that the job may write to",
            remedy="name another with --root, or give the user that runs the job permission",
        ) from error


def list_files(directory: Path) -> tuple[FileEntry, ...]:
    """Return every file below a directory but the manifest, hashed, in a fixed order.

    Raises:
        JobError: if there is anything but regular files and folders.
    """
    paths = []
    for path in sorted(directory.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise JobError(
                f"{path} is neither a regular file nor a folder",
                expected="an artifact of regular files",
                remedy="correct the component that wrote it",
            )
        if path.is_file() and path != directory / MANIFEST:
            paths.append(path)
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        digests = pool.map(file_sha256, paths)
        return tuple(
            FileEntry(path=path.relative_to(directory).as_posix(), size=path.stat().st_size, sha256=digest)
            for path, digest in zip(paths, digests, strict=True)
        )


def verify(sealed: Sealed) -> None:
    """Hold every file of a sealed artifact against its manifest.

    Raises:
        IntegrityError: for the first file that is missing, changed, or not named there.
    """
    named = {sealed.directory / entry.path: entry for entry in sealed.manifest.files}
    for path in sorted(sealed.directory.rglob("*")):
        if path.is_symlink() or (path.is_file() and path not in named and path != sealed.directory / MANIFEST):
            raise IntegrityError(
                f"{path} is not named in the manifest", expected="no other files or links", remedy=RERUN
            )

    def hashed(path: Path) -> str:
        try:
            return file_sha256(path)
        except OSError as error:
            return os.strerror(error.errno or errno.EIO)

    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        for (path, entry), found in zip(named.items(), pool.map(hashed, named), strict=True):
            if found != entry.sha256:
                raise IntegrityError(
                    f"{path} has been changed: its SHA-256 is {found}"
                    if len(found) == len(entry.sha256)
                    else f"{path} cannot be read: {found}",
                    expected=f"{entry.sha256}, {entry.size:,} bytes",
                    remedy=RERUN,
                )


def _flush(path: Path) -> None:
    """Have the operating system bring a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
