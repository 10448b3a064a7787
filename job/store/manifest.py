"""The manifest: `manifest.json`, which says how an artifact was produced and what it contains.

A manifest holds two digests. The fingerprint covers how the artifact is produced and names its directory. The
content digest covers the files and the statement, and identifies the artifact as an input of later steps. A code
change that does not change a result therefore does not change any later step.
"""

import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, ValidationError

from components.artifacts import (
    Artifact,
    Evaluation,
    Examples,
    Figures,
    FileName,
    Model,
    Predictions,
    PushedModel,
    Sha256,
    Statement,
    TransformedExamples,
)
from components.base.errors import IntegrityError, JobError, first_line, first_validation_error
from components.base.hashing import value_sha256
from job.pipeline.steps import KINDS
from job.store.fingerprint import FingerprintInputs, Producer
from job.store.hashed_file import HashedFile, hash_each, walk

MANIFEST = "manifest.json"
CUSTOM = "custom"


class CustomArtifact(Artifact):
    """An artifact of a custom step. Its own class, which may not be installed, reads it (see `parse`)."""

    model_config = ConfigDict(extra="allow")

    def file_names(self) -> tuple[str, ...]:
        return ()

    def parse(self, artifact_type: type[Artifact], where: str) -> Artifact:
        """Return the artifact as its own type; raise IntegrityError if it is of another one."""
        try:
            return artifact_type.model_validate(self.model_dump())
        except ValidationError as error:
            problem = f"{where} is not {artifact_type.__name__}: {first_validation_error(error)}"
            raise IntegrityError(problem, expected="an artifact of this type", remedy="run the job again") from error


def _tag(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return str(kind) if kind in KINDS else CUSTOM


AnyArtifact = Annotated[
    Annotated[Examples, Tag("examples")]
    | Annotated[TransformedExamples, Tag("transformed_examples")]
    | Annotated[Model, Tag("model")]
    | Annotated[Evaluation, Tag("evaluation")]
    | Annotated[Figures, Tag("figures")]
    | Annotated[PushedModel, Tag("pushed_model")]
    | Annotated[Predictions, Tag("bulk_predictions")]
    | Annotated[CustomArtifact, Tag(CUSTOM)],
    Discriminator(_tag),
]


class SchemaVersionError(IntegrityError):
    """Another version of the job wrote a manifest. The artifact is not damaged, and must stay where it is."""


class FileEntry(Statement):
    """One file of an artifact."""

    path: FileName
    """Relative to the artifact's directory, with `/`."""
    size: Annotated[int, Field(ge=0)]
    """In bytes."""
    sha256: Sha256


class Manifest(Statement):
    """The content of `manifest.json`."""

    schema_version: Literal[7] = 7
    """Raised by one when a field of a manifest, or of an artifact in it, is added, removed, or changes its meaning."""
    fingerprint: Sha256
    digest: Sha256
    """The content digest."""
    producer: Producer
    inputs: dict[str, Sha256]
    """Content digest of each input artifact."""
    libraries: dict[str, str]
    files: tuple[FileEntry, ...]
    artifact: AnyArtifact

    @property
    def fingerprint_inputs(self) -> FingerprintInputs:
        """Everything that the fingerprint covers."""
        return FingerprintInputs(producer=self.producer, inputs=self.inputs, libraries=self.libraries)

    @classmethod
    def create(cls, key: FingerprintInputs, files: tuple[FileEntry, ...], artifact: Artifact) -> Self:
        """Return the manifest of an artifact with these files."""
        statement = artifact.model_dump(mode="json")
        return cls.model_validate(
            {
                "fingerprint": key.fingerprint,
                "digest": _content_digest(files, statement),
                **key.model_dump(mode="json"),
                "files": [file.model_dump(mode="json") for file in files],
                "artifact": statement,
            }
        )

    def to_bytes(self) -> bytes:
        """Return the manifest as readable JSON; equal manifests give equal bytes."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> Self:
        """Parse the manifest at the path `where`.

        Raises:
            SchemaVersionError: if another version of the job wrote it.
            IntegrityError: if it was changed.
        """
        try:
            manifest = cls.model_validate_json(content)
            fingerprint = manifest.fingerprint_inputs.fingerprint
            digest = _content_digest(manifest.files, manifest.artifact.model_dump(mode="json"))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["loc"] == ("schema_version",) and isinstance(first["input"], int):
                raise SchemaVersionError(
                    f"{where} has the schema version {first['input']}",
                    expected=f"schema version {SCHEMA_VERSION}, which this version of the job reads",
                    remedy="use the version of the job that wrote it, or another root",
                ) from error
            raise _invalid(where, first_validation_error(error)) from error
        except ValueError as error:  # a number that JSON does not have
            raise _invalid(where, first_line(error)) from error
        for part, stated, computed in (
            ("fingerprint", manifest.fingerprint, fingerprint),
            ("content", manifest.digest, digest),
        ):
            if stated != computed:
                problem = f"{where} has been changed: its {part} has the SHA-256 {computed}"
                raise damaged(problem, expected=f"{stated}, as stated in the manifest")
        if manifest.to_bytes() != content:
            raise damaged(f"{where} has been changed", expected="the original bytes")
        files = [PurePosixPath(file.path) for file in manifest.files]
        paths = {str(path) for file in files for path in (file, *file.parents)}
        if missing := [name for name in manifest.artifact.file_names() if name not in paths]:
            raise _invalid(where, f"its artifact names {missing[0]}, its files do not")
        return manifest

    def verify(self, directory: Path, known: Mapping[str, HashedFile]) -> dict[str, HashedFile]:
        """Check every file of the artifact in a directory, and return the files; raise IntegrityError if one differs.

        A file is not hashed again if it has not changed since it was `known`, by its path in the manifest.
        """
        try:
            return self._verify(directory, known)
        except OSError as error:  # another process deletes it meanwhile
            raise unreadable(error.filename, error, expected="a file of the artifact") from error

    def _verify(self, directory: Path, known: Mapping[str, HashedFile]) -> dict[str, HashedFile]:
        entries = {entry.path: entry for entry in self.files}
        for path, mode in walk(directory):
            if not stat.S_ISREG(mode):
                found = "a link" if stat.S_ISLNK(mode) else "not a regular file"
                raise damaged(f"{path} is {found}", expected="regular files only")
            if path != directory / MANIFEST and path.relative_to(directory).as_posix() not in entries:
                raise damaged(f"{path} is not in the manifest", expected="no other files")
        hashed = {}
        for name, file in hash_each(directory, entries, known):
            path, entry = directory / name, entries[name]
            if isinstance(file, OSError):
                expected = f"a file of {entry.size:,} bytes with the SHA-256 {entry.sha256}"
                raise unreadable(path, file, expected=expected)
            if file.sha256 != entry.sha256:
                problem = f"{path} has been changed: its SHA-256 is {file.sha256}"
                raise damaged(problem, expected=f"{entry.sha256}, of {entry.size:,} bytes")
            if (size := file.status.size) != entry.size:
                stated = f"it states {entry.size:,} bytes for {entry.path}"
                raise damaged(f"{directory / MANIFEST} has been changed: {stated}", expected=f"{size:,} bytes")
            hashed[name] = file
        return hashed


SCHEMA_VERSION: int = Manifest.model_fields["schema_version"].default


def hash_files(directory: Path) -> dict[str, HashedFile]:
    """Hash every file below a directory except the manifest; raise JobError if one is not regular.

    The result is sorted by the path of the file, relative to the directory.
    """
    names = []
    for path, mode in walk(directory):
        if not stat.S_ISREG(mode):
            expected, remedy = "an artifact of regular files", "correct the component that wrote it"
            raise JobError(f"{path} is neither a regular file nor a folder", expected=expected, remedy=remedy)
        if path != directory / MANIFEST:
            names.append(path.relative_to(directory).as_posix())
    hashed = {}
    for name, file in hash_each(directory, names, {}):
        if isinstance(file, OSError):
            raise file
        hashed[name] = file
    return hashed


def file_entries(hashed: Mapping[str, HashedFile]) -> tuple[FileEntry, ...]:
    """Return the entries of a manifest for hashed files."""
    return tuple(FileEntry(path=name, size=file.status.size, sha256=file.sha256) for name, file in hashed.items())


def damaged(problem: str, *, expected: str) -> IntegrityError:
    """Return the error for a damaged artifact, which the next run replaces."""
    remedy = "run the job again: it quarantines the artifact and produces it again"
    return IntegrityError(problem, expected=expected, remedy=remedy)


def unreadable(path: object, error: OSError, *, expected: str) -> IntegrityError:
    """Return the error for a file of an artifact that cannot be read."""
    return damaged(f"{path} cannot be read: {error.strerror}", expected=expected)


def _content_digest(files: tuple[FileEntry, ...], statement: dict[str, Any]) -> str:
    return value_sha256({"files": [file.model_dump(mode="json") for file in files], "artifact": statement})


def _invalid(where: str, reason: str) -> IntegrityError:
    return damaged(f"{where} is not a manifest: {reason}", expected="a manifest written by the job")
