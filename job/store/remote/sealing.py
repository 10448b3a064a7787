"""The sealing object: it alone makes uploaded files an artifact.

artifacts/<slot>/<fingerprint>.json                      the sealing object
artifacts/<slot>/<fingerprint>/<attempt>/<file>          the files
artifacts/<slot>/<fingerprint>/<attempt>/manifest.json   only if the attempt is quarantined
artifacts/<slot>/<fingerprint>/<attempt>.damaged         which file of the attempt was found damaged, and how

It is created if it is absent, and changed only by compare-and-swap, so that of all machines that seal an artifact one
succeeds. It is never deleted: a tombstone takes its place.
"""

import secrets
from typing import Literal

from pydantic import Field, ValidationError

from components.artifacts import Statement
from components.base.errors import IntegrityError, first_validation_error
from job.store.manifest import SchemaVersionError

SUFFIX = ".json"
DAMAGED = ".damaged"


def new_id() -> str:
    """Return a random name, for an attempt or for a write."""
    return secrets.token_hex(8)


class Sealing(Statement):
    """The content of a sealing object."""

    schema_version: Literal[1] = 1
    state: Literal["sealed", "quarantined", "deleted"]
    attempt: str
    """The folder of the files."""
    manifest: str
    """Content of `manifest.json`."""
    write: str = Field(default_factory=new_id)
    """Random: no two writes have the same content."""

    @property
    def is_sealed(self) -> bool:
        """Whether the artifact exists; otherwise this is a tombstone."""
        return self.state == "sealed"

    def in_state(self, state: Literal["sealed", "quarantined", "deleted"]) -> "Sealing":
        """Return the sealing object of the same attempt in another state."""
        return Sealing(state=state, attempt=self.attempt, manifest=self.manifest)

    def to_bytes(self) -> bytes:
        """Return the content."""
        return self.model_dump_json(indent=2).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes, *, where: str) -> "Sealing":
        """Parse the content.

        Raises:
            SchemaVersionError: if another version of the job wrote it.
            IntegrityError: if it is not that of a sealing object.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["loc"] == ("schema_version",) and isinstance(first["input"], int):
                raise SchemaVersionError(
                    f"{where} has the schema version {first['input']}",
                    expected="schema version 1, which this version of the job reads",
                    remedy="use the version of the job that wrote it, or another root",
                ) from error
            problem = f"{where} is not a sealing object: {first_validation_error(error)}"
            raise IntegrityError(problem, expected="an object of the job", remedy="restore or delete it") from error
