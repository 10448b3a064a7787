"""The typed artifacts that components exchange: what each kind states about its files.

A component returns one of these; whoever runs the component adds the envelope (producer,
lineage, file digests) and seals both as `manifest.json`. A reading component gets it back as
a `Stored` artifact: the statement and the directory of its files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from pathlib import Path

SPLITS = ("train", "validation", "test")

Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")]
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


PerSplit = TypeVar("PerSplit", bound=Statement)


class Splits(Statement, Generic[PerSplit]):
    """One statement a split."""

    train: PerSplit
    validation: PerSplit
    test: PerSplit

    def items(self) -> tuple[tuple[str, PerSplit], ...]:
        """Return (name, statement) for each split, in the order of `SPLITS`."""
        return (("train", self.train), ("validation", self.validation), ("test", self.test))


class Source(Statement):
    """Where the images come from."""

    kind: str
    title: str
    """What the data set is called in figures and tables."""
    identity: dict[str, str]
    """What decides the data: digests of files, or a version that is never changed."""


class ExamplesSplit(Statement):
    """One split of raw images: its file and what is in it."""

    file: FileName
    count: Annotated[int, Field(ge=1)]
    label_counts: tuple[Count, ...]
    """Images of each class, by label."""
    pixel_mean: Annotated[float, Field(ge=0, le=255)]
    pixel_std: Annotated[float, Field(ge=0, le=255)]

    @model_validator(mode="after")
    def _counts_add_up(self) -> ExamplesSplit:
        if sum(self.label_counts) != self.count:
            raise ValueError(f"label counts add up to {sum(self.label_counts)}, not to the count {self.count}")
        return self


class Examples(Artifact):
    """Raw images and labels in three splits, one Parquet file each (see `components.data.formats`)."""

    kind: Literal["examples"] = "examples"
    source: Source
    image_shape: ImageShape
    """Height, width and channels, in pixels."""
    image_dtype: Literal["uint8"] = "uint8"
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    """The name of each class, by label."""
    strategy: str
    seed: int
    splits: Splits[ExamplesSplit]

    @model_validator(mode="after")
    def _every_class_is_counted(self) -> Examples:
        for name, split in self.splits.items():
            if len(split.label_counts) != len(self.class_names):
                raise ValueError(f"{name} counts {len(split.label_counts)} classes of {len(self.class_names)}")
        return self

    def file_names(self) -> tuple[str, ...]:
        return tuple(split.file for _, split in self.splits.items())


class GraphOperation(Statement):
    """One operation of the transform graph; `components.data.transform_graph` gives its meaning."""

    op: Literal["cast", "multiply", "expand_dims"]
    dtype: Literal["float32"] | None = None
    by: float | None = None
    axis: int | None = None


class TransformedSplit(Statement):
    """One split of scaled images: two NumPy files that can be memory-mapped."""

    images: FileName
    """float32 [count, height, width, channels]."""
    labels: FileName
    """int64 [count]."""
    count: Annotated[int, Field(ge=1)]


class SplitOverlap(Statement):
    """Images that stand, to the last pixel, in two splits."""

    splits: tuple[str, str]
    images: Count
    """Distinct images that are in both."""


class TransformedExamples(Artifact):
    """Scaled images in three splits, and the graph that scaled them."""

    kind: Literal["transformed_examples"] = "transformed_examples"
    title: str
    image_shape: ImageShape
    image_dtype: Literal["float32"] = "float32"
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    graph_file: FileName
    graph: tuple[GraphOperation, ...]
    """What turns a raw uint8 [batch, height, width] image batch into the network's input."""
    overlaps: tuple[SplitOverlap, ...]
    """One entry a pair of splits."""
    shared_images: Count = 0
    """Images, over all splits, that stand in another split too."""
    splits: Splits[TransformedSplit]

    def file_names(self) -> tuple[str, ...]:
        per_split = (name for _, split in self.splits.items() for name in (split.images, split.labels))
        return (self.graph_file, *per_split)


class Epoch(Statement):
    """One row of the training history."""

    epoch: Annotated[int, Field(ge=1)]
    loss: float
    accuracy: Fraction
    val_loss: float
    val_accuracy: Fraction
    learning_rate: float
    """At the end of the epoch."""


class TrainingEnvironment(Statement):
    """What a model was trained on."""

    versions: dict[str, str]
    python: str
    device: str
    threads: Annotated[int, Field(ge=1)]
    seed: int


class Model(Artifact):
    """A trained classifier in the forms that one deploys."""

    kind: Literal["model"] = "model"
    format: Literal["keras", "linear"]
    """`keras`: a convolutional network; `linear`: one weight a pixel and class (see `components.models.predictor`)."""
    file: FileName
    saved_model: FileName | None = None
    """Directory of a SavedModel whose default signature takes raw images."""
    history_file: FileName
    image_shape: ImageShape
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    test_time_shift: Count = 0
    """Pixels: answers are means over the image and the same moved by up to so many (`components.models.averaging`);
    `saved_model` does it by itself, `file` does not."""
    parameters: Count
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Over the bytes of all weights in their order: equal exactly if the networks are."""
    history: Annotated[tuple[Epoch, ...], Field(min_length=1)]
    best_epoch: Annotated[int, Field(ge=1)]
    """The epoch whose weights these are."""
    stopped_early: bool
    environment: TrainingEnvironment

    def file_names(self) -> tuple[str, ...]:
        names = (self.file, self.history_file)
        return names if self.saved_model is None else (*names, self.saved_model)


class Interval(Statement):
    """A confidence interval, and the method that gave it."""

    low: Fraction
    high: Fraction
    confidence: Fraction = 0.95
    method: Literal["wilson"] = "wilson"


class ClassMetrics(Statement):
    """How well one class is told from the others."""

    label: Count
    name: str
    precision: Fraction
    recall: Fraction
    f1: Fraction
    support: Count
    """Test images of this class."""


class Check(Statement):
    """One threshold, held against what was measured."""

    metric: str
    minimum: float | None = None
    maximum: float | None = None
    value: float
    passed: bool


class Blessing(Statement):
    """The verdict, with every check that led to it."""

    verdict: Literal["BLESSED", "NOT_BLESSED"]
    checks: tuple[Check, ...]


class Metrics(Statement):
    """Figures over the whole test split."""

    count: Annotated[int, Field(ge=1)]
    accuracy: Fraction
    accuracy_interval: Interval
    loss: Annotated[float, Field(ge=0)]
    """Mean cross-entropy in nats."""
    macro_precision: Fraction
    macro_recall: Fraction
    macro_f1: Fraction


class Evaluation(Artifact):
    """A model's score on the test split, and whether it may be used."""

    kind: Literal["evaluation"] = "evaluation"
    metrics: Metrics
    per_class: tuple[ClassMetrics, ...]
    confusion_matrix: tuple[tuple[Count, ...], ...]
    """Rows are true labels, columns predicted ones."""
    predictions_file: FileName
    metrics_file: FileName
    blessing: Blessing

    def file_names(self) -> tuple[str, ...]:
        return (self.predictions_file, self.metrics_file)


class Figure(Statement):
    """One picture: its file and what it shows."""

    name: str
    file: FileName
    title: str
    alt: str
    """What the picture shows, in words."""


class Figures(Artifact):
    """The pictures of a run."""

    kind: Literal["figures"] = "figures"
    figures: Annotated[tuple[Figure, ...], Field(min_length=1)]

    def file_names(self) -> tuple[str, ...]:
        return tuple(figure.file for figure in self.figures)
