"""The manifest: `manifest.json`, which says how an artifact was produced and what it contains.

A manifest holds two digests. The fingerprint covers how the artifact is produced and names its directory. The
content digest covers the files and the statement, and identifies the artifact as an input of later steps. A code
change that does not change a result therefore does not change any later step.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from components.artifacts import (
    Artifact,
    Evaluation,
    Examples,
    Figures,
    FileName,
    Model,
    PushedModel,
    Sha256,
    Statement,
    TransformedExamples,
)
from components.base.errors import IntegrityError, first_line, first_validation_error
from components.base.hashing import value_sha256
from job.store.fingerprint import FingerprintInputs, Producer

MANIFEST = "manifest.json"
SCHEMA_VERSION = 3
"""Incremented when a field of a manifest, or of an artifact in it, is added, removed, or changes its meaning."""
REMEDY_RERUN = "run the job again: it quarantines the artifact and produces it again"
AnyArtifact = Annotated[
    Examples | TransformedExamples | Model | Evaluation | Figures | PushedModel, Field(discriminator="kind")
]


class FileEntry(Statement):
    """One file of an artifact."""

    path: FileName
    """Relative to the artifact's directory, with `/`."""
    size: Annotated[int, Field(ge=0)]
    """In bytes."""
    sha256: Sha256


class Manifest(Statement):
    """The content of `manifest.json`."""

    schema_version: Literal[3] = 3
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
    def create(cls, key: FingerprintInputs, files: tuple[FileEntry, ...], artifact: Artifact) -> Manifest:
        """Return the manifest of an artifact with these files."""
        statement = artifact.model_dump(mode="json")
        return cls.model_validate(
            {
                "fingerprint": key.fingerprint,
                "digest": content_digest(files, statement),
                **key.model_dump(mode="json"),
                "files": [file.model_dump(mode="json") for file in files],
                "artifact": statement,
            }
        )

    def to_bytes(self) -> bytes:
        """Return the manifest as readable JSON; equal manifests give equal bytes."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> Manifest:
        """Parse a manifest and check it against its digests.

        Args:
            content: the content of the file.
            where: the path of the file, for error messages.

        Raises:
            IntegrityError: if it is not a manifest of this schema version, or was changed.
        """
        try:
            manifest = cls.model_validate_json(content)
            fingerprint = manifest.fingerprint_inputs.fingerprint
            digest = content_digest(manifest.files, manifest.artifact.model_dump(mode="json"))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["loc"] == ("schema_version",):
                raise IntegrityError(
                    f"{where} has the schema version {first['input']!r}",
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
                raise IntegrityError(
                    f"{where} has been changed: its {part} has the SHA-256 {computed}",
                    expected=f"{stated}, as stated in the manifest",
                    remedy=REMEDY_RERUN,
                )
        if manifest.to_bytes() != content:
            raise IntegrityError(f"{where} has been changed", expected="the original bytes", remedy=REMEDY_RERUN)
        paths = {str(path) for file in manifest.files for path in _with_parents(file.path)}
        if missing := [name for name in manifest.artifact.file_names() if name not in paths]:
            raise _invalid(where, f"its artifact names {missing[0]}, its files do not")
        return manifest


def content_digest(files: tuple[FileEntry, ...], statement: dict[str, Any]) -> str:
    """Return the digest of an artifact's content: its files and its statement."""
    return value_sha256({"files": [file.model_dump(mode="json") for file in files], "artifact": statement})


def _with_parents(path: str) -> tuple[PurePosixPath, ...]:
    return (PurePosixPath(path), *PurePosixPath(path).parents)


def _invalid(where: str, reason: str) -> IntegrityError:
    return IntegrityError(
        f"{where} is not a manifest: {reason}", expected="a manifest written by the job", remedy=REMEDY_RERUN
    )
