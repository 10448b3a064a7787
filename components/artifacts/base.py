"""What all artifacts have in common: frozen statements, named files, splits, and the artifact that lies on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pathlib import Path

SPLITS = ("train", "validation", "test")

Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ImageShape = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


class Statement(BaseModel):
    """Base of all that a manifest holds: frozen, and no key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Artifact(Statement):
    """Base of the artifact kinds."""

    kind: str

    def file_names(self) -> tuple[str, ...]:
        """Return the files and directories that the artifact names, relative to its own directory."""
        raise NotImplementedError


ArtifactT = TypeVar("ArtifactT", bound=Artifact, covariant=True)


@dataclass(frozen=True)
class Stored(Generic[ArtifactT]):
    """An artifact that lies on disk: what it states, and where its files are. Only to be read."""

    artifact: ArtifactT
    directory: Path


SplitT = TypeVar("SplitT", bound=Statement)


class Splits(Statement, Generic[SplitT]):
    """One statement a split."""

    train: SplitT
    validation: SplitT
    test: SplitT

    def items(self) -> tuple[tuple[str, SplitT], ...]:
        """Return (name, statement) for each split, in the order of `SPLITS`."""
        return (("train", self.train), ("validation", self.validation), ("test", self.test))
