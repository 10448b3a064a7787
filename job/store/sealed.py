"""Sealed artifacts: a manifest, and the directory of the files."""

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components import Artifact, Stored
from job.store.hashed_file import HashedFile
from job.store.manifest import MANIFEST, CustomArtifact, Manifest, damaged, unreadable


@dataclass(frozen=True)
class SealedArtifact:
    """A sealed artifact: its manifest and its directory."""

    slot: str
    manifest: Manifest
    directory: Path
    hashed: dict[str, HashedFile] = field(default_factory=dict, compare=False, repr=False)
    """Its files when this process hashed them last."""

    @property
    def artifact(self) -> Any:
        """Its statement, which needs none of its files."""
        return self.manifest.artifact

    @property
    def modified(self) -> float:
        """When it was sealed, in seconds since 1970."""
        return self.directory.lstat().st_mtime

    def fetch(self, *names: str) -> None:
        """Download all files, or only those with these names, if they are not local; here all are."""

    def stored(self, artifact_type: type[Artifact] | None = None) -> Stored[Any]:
        """Return the artifact as a component receives it, with its files; one of a custom step needs its type."""
        self.fetch()
        artifact: Artifact = self.manifest.artifact
        if isinstance(artifact, CustomArtifact) and artifact_type is not None:
            artifact = artifact.parse(artifact_type, str(self.directory))
        return Stored(artifact=artifact, directory=self.directory)

    def verify(self) -> None:
        """Check every file; if one is missing, changed or not in the manifest, raise IntegrityError.

        A file that was hashed before is hashed again only if its status has changed.
        """
        self.hashed.update(self.manifest.verify(self.directory, self.hashed))

    def check(self) -> None:
        """As `verify`; for files in object storage that are not local, check only that they exist."""
        self.verify()


def read_sealed(slot: str, directory: Path) -> SealedArtifact:
    """Return the artifact in a directory of any name, as `Store.read` does."""
    path = directory / MANIFEST
    try:
        for item, is_expected, what in ((directory, stat.S_ISDIR, "folder"), (path, stat.S_ISREG, "regular file")):
            if not is_expected(item.lstat().st_mode):
                found = "a link" if item.is_symlink() else f"not a {what}"
                raise damaged(f"{item} is {found}", expected=f"a {what}")
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error, expected="the manifest of a sealed artifact") from error
    return SealedArtifact(slot, Manifest.from_bytes(content, where=str(path)), directory)
