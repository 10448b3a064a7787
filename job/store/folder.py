"""An artifact in a folder that the user names, outside of any root.

DIR/            sealed, like an artifact of a root
DIR.partial/    in progress
DIR.lock        exists while a command uses the folder
DIR.quarantined-N/    damaged
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from components.base.errors import ConfigError, DataError, IntegrityError
from job.store.file_system import check_file_system
from job.store.manifest import MANIFEST, Manifest, SchemaVersionError
from job.store.sealed import SealedArtifact, read_sealed
from job.store.store import Entry, Store

OF_A_ROOT = ("artifacts", "reproductions", "runs", "sweeps", "tags")
"""Folders of a root whose content only the job writes."""
PARTIAL = re.compile("files-[0-9a-f]{8}|checkpoints", re.ASCII)


class OtherArtifactError(ConfigError):
    """The folder contains an artifact with another fingerprint, which is kept."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        super().__init__(f"{directory} contains another artifact")
        self.manifest = manifest


class FolderStore(Store):
    """A store of one artifact, whose folder does not depend on its fingerprint."""

    def __init__(self, directory: Path) -> None:
        """Raise ConfigError if the path has no name, or is in a sealed folder."""
        path = Path(os.path.realpath(directory))  # a link to a folder on another disk
        super().__init__(path.parent)
        self._directory = path
        if not path.name:
            raise _occupied(directory, "is not a folder that can be replaced")
        if sealed := next(filter(_is_sealed, path.parents), None):
            raise _occupied(directory, f"is in {sealed}, which is sealed: it has a {MANIFEST}")

    def check_outside(self, root: Path) -> None:
        """Raise ConfigError if the folder is in one where a root keeps its own files."""
        for owned in (Path(os.path.realpath(root)) / name for name in OF_A_ROOT):
            if self._directory.is_relative_to(owned):
                raise _occupied(self._directory, f"is in {owned}, which belongs to the job")

    def prepare(self, slots: Iterable[str] = ()) -> None:  # noqa: ARG002
        """Check the file system, and that nothing else is in the folder of the artifact in progress."""
        check_file_system(self.root)
        partial = self.partial("", "")
        if partial.is_dir() and not all(map(PARTIAL.fullmatch, os.listdir(partial))):  # noqa: PTH208
            raise _occupied(partial, "contains other files")

    def find(self, slot: str, fingerprint: str) -> SealedArtifact | None:
        """Return the sealed artifact, or None if the folder is empty or missing.

        Raises:
            OtherArtifactError: if it has another fingerprint.
            ConfigError: if the folder contains other files.
            DataError: if its manifest is damaged, so that the content of the folder is unknown.
            IntegrityError: if one of its files is damaged.
        """
        directory = self._directory
        if not os.path.lexists(directory) or (directory.is_dir() and not any(directory.iterdir())):
            return None
        if not os.path.lexists(directory / MANIFEST):
            raise _occupied(directory, "contains other files" if directory.is_dir() else "is not a folder")
        try:
            sealed = self.read(slot, directory)
        except SchemaVersionError:
            raise
        except IntegrityError as error:
            remedy = "delete the folder if it is not needed, or name another one"
            raise DataError(error.headline, expected=error.expected, remedy=remedy) from error
        if sealed.manifest.fingerprint != fingerprint:
            raise OtherArtifactError(directory, sealed.manifest)
        sealed.verify()
        return sealed

    def read(self, slot: str, directory: Path) -> SealedArtifact:
        return read_sealed(slot, directory)

    def entries(self) -> Iterator[Entry]:
        """Yield nothing: the files beside the folder do not belong to the job."""
        return iter(())

    def delete_partial(self) -> None:
        """Delete what a command left that was killed after it had sealed the artifact."""
        shutil.rmtree(self.partial("", ""), ignore_errors=True)

    def directory(self, slot: str, fingerprint: str) -> Path:  # noqa: ARG002
        return self._directory

    def partial(self, slot: str, fingerprint: str) -> Path:  # noqa: ARG002
        return self._directory.with_name(f"{self._directory.name}.partial")

    def lock(self, slot: str, fingerprint: str) -> Path:  # noqa: ARG002
        return self._directory.with_name(f"{self._directory.name}.lock")


def _is_sealed(folder: Path) -> bool:
    """Return whether a folder has a manifest of the job; other programs have files of that name, too."""
    try:
        Manifest.from_bytes((folder / MANIFEST).read_bytes(), where=str(folder))
    except SchemaVersionError:
        return True
    except (OSError, IntegrityError):
        return False
    return True


def _occupied(directory: Path, problem: str) -> ConfigError:
    return ConfigError(
        f"{directory} {problem}",
        expected="a folder that does not exist yet, is empty, or has the same predictions",
        remedy="name another folder",
    )
