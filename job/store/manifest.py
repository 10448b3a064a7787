"""The manifest: an artifact's statement in its envelope of recipe, file digests and own digest.

Two digests keep it whole. The fingerprint is over the recipe (how it was made) and names the
directory; the digest is over the files and the statement (what it is), and is what the
recipes of later steps name. An edit that changes a recipe but not the result therefore
changes nothing further down.
"""

from __future__ import annotations

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

MANIFEST = "manifest.json"
SCHEMA_VERSION = 2
"""Raised when a field of a manifest, or of an artifact in it, comes, goes or means something else."""
AnyArtifact = Annotated[
    Examples | TransformedExamples | Model | Evaluation | Figures | PushedModel, Field(discriminator="kind")
]


class FingerprintInputs(Statement):
    """All that decides a step's result."""

    component: str
    """Import string of the class, such as `components.trainer:Trainer`."""
    version: str
    source: Sha256
    """Over the source code of the component and what it uses of its own package."""
    config: dict[str, Any]
    """What of its configuration decides the result."""
    inputs: dict[str, Sha256]
    """Digest of each artifact that it was made from."""
    libraries: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the recipe in canonical JSON."""
        return value_sha256(self.model_dump(mode="json"))

    def differences(self, other: FingerprintInputs) -> list[str]:
        """Say what is different from another recipe, a few words a difference, the weightiest first."""
        if self.component != other.component:
            return [f"another component, {self.component}"]  # with a configuration and libraries of its own
        another = self.version != other.version
        return [
            *([f"version {other.version} → {self.version}"] if another else []),
            *(f"config {change}" for change in _changes(other.config, self.config)),
            *(f"new {name}" for name in self.inputs if self.inputs[name] != other.inputs.get(name)),
            *(f"no {name}" for name in other.inputs if name not in self.inputs),
            *(f"library {change}" for change in _changes(other.libraries, self.libraries)),
            # Another version has other source code as a matter of course.
            *(["its source code changed"] if self.source != other.source and not another else []),
        ]


def _changes(before: Any, after: Any, path: str = "") -> list[str]:
    """Return `key before → after` for each value that differs between two JSON values."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        return [
            change
            for key in keys
            for change in _changes(before.get(key), after.get(key), f"{path}.{key}" if path else key)
        ]
    return [] if before == after else [f"{path} {_short(before)} → {_short(after)}"]


def _short(value: Any, most: int = 24) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"


class FileEntry(Statement):
    """One file of an artifact."""

    path: FileName
    """Relative to the artifact's directory, with `/`."""
    size: Annotated[int, Field(ge=0)]
    """In bytes."""
    sha256: Sha256


class Manifest(Statement):
    """What `manifest.json` holds."""

    schema_version: Literal[2] = 2
    fingerprint: Sha256
    digest: Sha256
    recipe: FingerprintInputs
    files: tuple[FileEntry, ...]
    artifact: AnyArtifact

    @classmethod
    def create(cls, recipe: FingerprintInputs, files: tuple[FileEntry, ...], artifact: Artifact) -> Manifest:
        """Put an artifact into its envelope."""
        statement = artifact.model_dump(mode="json")
        return cls.model_validate(
            {
                "fingerprint": recipe.fingerprint,
                "digest": content_digest(files, statement),
                "recipe": recipe.model_dump(mode="json"),
                "files": [file.model_dump(mode="json") for file in files],
                "artifact": statement,
            }
        )

    def to_bytes(self) -> bytes:
        """Return the manifest as it is written: JSON that a person can read, always the same."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> Manifest:
        """Read a manifest and hold it against its own digests.

        Args:
            content: what the file holds.
            where: the file, for the message.

        Raises:
            IntegrityError: if it is not a manifest of this schema, or not as it was written.
        """
        try:
            manifest = cls.model_validate_json(content)
            fingerprint = manifest.recipe.fingerprint
            digest = content_digest(manifest.files, manifest.artifact.model_dump(mode="json"))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["loc"] == ("schema_version",):
                raise IntegrityError(
                    f"{where} has the schema version {first['input']!r}",
                    expected=f"schema version {SCHEMA_VERSION}, which this version of the job reads",
                    remedy="use the version of the job that wrote it, or another root",
                ) from error
            raise _not_one(where, first_validation_error(error)) from error
        except ValueError as error:  # a number that JSON has not
            raise _not_one(where, first_line(error)) from error
        for what, stated, found in (
            ("recipe", manifest.fingerprint, fingerprint),
            ("content", manifest.digest, digest),
        ):
            if stated != found:
                raise IntegrityError(
                    f"{where} has been changed: its {what} has the SHA-256 {found}",
                    expected=f"{stated}, as it says itself",
                    remedy=RERUN,
                )
        if manifest.to_bytes() != content:
            raise IntegrityError(f"{where} is not as it was written", expected="the same bytes", remedy=RERUN)
        held = {part for file in manifest.files for part in (file.path, *_folders(file.path))}
        if missing := [name for name in manifest.artifact.file_names() if name not in held]:
            raise _not_one(where, f"its artifact names {missing[0]}, its files do not")
        return manifest


RERUN = "run the job again: it sets the artifact aside and makes it anew"


def _not_one(where: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"{where} is not a manifest: {why}",
        expected="a manifest as the job writes it",
        remedy=RERUN,
    )


def _folders(path: str) -> list[str]:
    """Return the folders that a file is in, relative to the artifact's directory."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def content_digest(files: tuple[FileEntry, ...], statement: dict[str, Any]) -> str:
    """Return the digest of what an artifact is: its files and its statement."""
    return value_sha256({"files": [file.model_dump(mode="json") for file in files], "artifact": statement})
