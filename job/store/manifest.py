"""The manifest: `manifest.json`, which says how an artifact was produced and what it contains.

A manifest holds two digests. The fingerprint covers how the artifact is produced and names its directory. The
content digest covers the files and the statement, and identifies the artifact as an input of later steps. A code
change that does not change a result therefore does not change any later step.
"""

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

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
from components.base.errors import IntegrityError, JobError, first_line, first_validation_error
from components.base.hashing import file_sha256, value_sha256
from job.store.fingerprint import FingerprintInputs, Producer

MANIFEST = "manifest.json"
SCHEMA_VERSION = 3
"""Incremented when a field of a manifest, or of an artifact in it, is added, removed, or changes its meaning."""
HASHING_THREADS = 4
"""hashlib releases the interpreter lock; more threads than the disk can feed gain nothing."""
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
        """Parse the manifest at the path `where`; raise IntegrityError if it was changed or has another version."""
        try:
            manifest = cls.model_validate_json(content)
            fingerprint = manifest.fingerprint_inputs.fingerprint
            digest = _content_digest(manifest.files, manifest.artifact.model_dump(mode="json"))
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
                problem = f"{where} has been changed: its {part} has the SHA-256 {computed}"
                raise damaged(problem, expected=f"{stated}, as stated in the manifest")
        if manifest.to_bytes() != content:
            raise damaged(f"{where} has been changed", expected="the original bytes")
        files = [PurePosixPath(file.path) for file in manifest.files]
        paths = {str(path) for file in files for path in (file, *file.parents)}
        if missing := [name for name in manifest.artifact.file_names() if name not in paths]:
            raise _invalid(where, f"its artifact names {missing[0]}, its files do not")
        return manifest

    def verify(self, directory: Path) -> None:
        """Check every file of the artifact in a directory; raise IntegrityError for the first that differs."""
        try:
            self._verify(directory)
        except OSError as error:  # another process deletes it meanwhile
            raise unreadable(error.filename, error, expected="a file of the artifact") from error

    def _verify(self, directory: Path) -> None:
        entries = {directory / entry.path: entry for entry in self.files}
        for path, mode in _walk(directory):
            if not stat.S_ISREG(mode):
                found = "a link" if stat.S_ISLNK(mode) else "not a regular file"
                raise damaged(f"{path} is {found}", expected="regular files only")
            if path not in entries and path != directory / MANIFEST:
                raise damaged(f"{path} is not in the manifest", expected="no other files")
        with ThreadPoolExecutor(HASHING_THREADS) as pool:
            for (path, entry), digest in zip(entries.items(), pool.map(_try_sha256, entries), strict=True):
                if isinstance(digest, OSError):
                    expected = f"a file of {entry.size:,} bytes with the SHA-256 {entry.sha256}"
                    raise unreadable(path, digest, expected=expected)
                if digest != entry.sha256:
                    problem = f"{path} has been changed: its SHA-256 is {digest}"
                    raise damaged(problem, expected=f"{entry.sha256}, of {entry.size:,} bytes")
                if (size := path.stat().st_size) != entry.size:
                    stated = f"it states {entry.size:,} bytes for {entry.path}"
                    raise damaged(f"{directory / MANIFEST} has been changed: {stated}", expected=f"{size:,} bytes")


def list_files(directory: Path) -> tuple[FileEntry, ...]:
    """Return every file below a directory except the manifest, sorted; raise JobError if one is not regular."""
    paths = []
    for path, mode in _walk(directory):
        if not stat.S_ISREG(mode):
            expected, remedy = "an artifact of regular files", "correct the component that wrote it"
            raise JobError(f"{path} is neither a regular file nor a folder", expected=expected, remedy=remedy)
        if path != directory / MANIFEST:
            paths.append(path)
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        digests = pool.map(file_sha256, paths)
        return tuple(
            FileEntry(path=path.relative_to(directory).as_posix(), size=path.stat().st_size, sha256=digest)
            for path, digest in zip(paths, digests, strict=True)
        )


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


def _try_sha256(path: Path) -> str | OSError:
    try:
        return file_sha256(path)
    except OSError as error:
        return error


def _walk(directory: Path) -> Iterator[tuple[Path, int]]:
    """Yield everything below a directory except folders, sorted, with its mode; links are not followed."""
    for path in sorted(directory.rglob("*")):
        if not stat.S_ISDIR(mode := path.lstat().st_mode):
            yield path, mode
