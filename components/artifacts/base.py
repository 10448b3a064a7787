"""Base classes of artifacts: statements, the artifact, an artifact on disk, and one statement per split."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

SPLITS = ("train", "validation", "test")

Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ImageShape = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
"""Height, width and channels: 1 for grayscale, or 3 for red, green and blue."""


def raw_shape(shape: ImageShape) -> tuple[int, ...]:
    """Return the shape of a raw image: without an axis of channels if it is grayscale.

    >>> raw_shape((28, 28, 1)), raw_shape((32, 32, 3))
    ((28, 28), (32, 32, 3))
    """
    return shape[:2] if shape[2] == 1 else shape


class Statement(BaseModel):
    """Base of everything in a manifest: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Artifact(Statement):
    """Base of the artifact kinds: what a component states about the files that it wrote."""

    kind: str

    def file_names(self) -> tuple[str, ...]:
        """Return the files and directories of the artifact, relative to its own directory."""
        raise NotImplementedError


ArtifactT = TypeVar("ArtifactT", bound=Artifact, covariant=True)


@dataclass(frozen=True)
class Stored(Generic[ArtifactT]):
    """An artifact on disk: its statement, and the directory of its files, which is read-only.

    >>> from components.artifacts import Figure, Figures
    >>> mean = Figure(name="mean", file="mean.png", title="Mean image", alt="a blurred digit")
    >>> stored = Stored(Figures(figures=(mean,)), Path("figures"))
    >>> stored.artifact.kind, [(stored.directory / name).as_posix() for name in stored.artifact.file_names()]
    ('figures', ['figures/mean.png'])
    """

    artifact: ArtifactT
    directory: Path


SplitT = TypeVar("SplitT", bound=Statement)


class Splits(Statement, Generic[SplitT]):
    """One statement per split.

    >>> class Size(Statement):
    ...     count: int
    >>> splits = Splits[Size](train=Size(count=8), validation=Size(count=1), test=Size(count=2))
    >>> [(name, split.count) for name, split in splits.items()]
    [('train', 8), ('validation', 1), ('test', 2)]
    """

    train: SplitT
    validation: SplitT
    test: SplitT

    def items(self) -> tuple[tuple[str, SplitT], ...]:
        """Return (name, statement) of each split, in the order of `SPLITS`."""
        return (("train", self.train), ("validation", self.validation), ("test", self.test))
