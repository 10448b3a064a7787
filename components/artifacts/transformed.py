"""TransformedExamples: network inputs in three splits, and the transform graph."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from components.artifacts.base import Artifact, Count, FileName, ImageShape, Sha256, Splits, Statement


class GraphOperation(Statement):
    """One operation of the transform graph (see `components.inference.transform_graph`)."""

    op: Literal["cast", "multiply", "expand_dims", "add", "resize", "function"]
    dtype: Literal["float32"] | None = None
    by: float | tuple[float, ...] | None = None
    """What to add or to multiply by: one number, or one per channel."""
    axis: int | None = None
    size: tuple[int, int] | None = None
    """Height and width of a resized image."""
    name: str | None = None
    """The custom function, as `my_module:my_function`."""
    model: dict[str, Any] | None = None
    """The function as a Keras model without weights, which `keras.saving.deserialize_keras_object` restores."""


class TransformedShard(Statement):
    """NumPy files of consecutive images of a split, which can be memory-mapped."""

    raw: FileName
    """The raw images: uint8 [count, height, width], or [count, height, width, 3] in color."""
    labels: FileName
    """int64 [count]."""
    inputs: FileName | None = None
    """The network's inputs: float32 [count, height, width, channels]. None if they are computed from the raw images
    when they are read."""
    count: Annotated[int, Field(ge=1)]

    def file_names(self) -> tuple[str, ...]:
        return (self.raw, self.labels) if self.inputs is None else (self.raw, self.labels, self.inputs)


class TransformedSplit(Statement):
    """One split of images, in one or several shards; either all or none of them have inputs."""

    shards: Annotated[tuple[TransformedShard, ...], Field(min_length=1)]

    @property
    def count(self) -> int:
        """The number of images."""
        return sum(shard.count for shard in self.shards)

    @property
    def stores_inputs(self) -> bool:
        """Whether the network's inputs are stored, and not computed when they are read."""
        return self.shards[0].inputs is not None

    def file_names(self) -> tuple[str, ...]:
        return tuple(name for shard in self.shards for name in shard.file_names())

    @model_validator(mode="after")
    def _shards_are_alike(self) -> Self:
        if len({shard.inputs is None for shard in self.shards}) > 1:
            raise ValueError("some shards have inputs, and others have none")
        return self


class SplitOverlap(Statement):
    """Images that two splits share, pixel by pixel."""

    splits: tuple[str, str]
    images: Count
    """Distinct images that are in both splits."""


class TransformedExamples(Artifact):
    """Network inputs in three splits, and the graph that converts raw images to them."""

    kind: Literal["transformed_examples"] = "transformed_examples"
    title: str
    image_shape: ImageShape
    """Shape of a network input."""
    picture_shape: ImageShape = Field(default_factory=lambda values: values["image_shape"])
    """Shape of a picture, which operations may resize; by default that of a network input."""
    image_dtype: Literal["float32"] = "float32"
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    graph_file: FileName
    graph: tuple[GraphOperation, ...]
    """Converts raw images, uint8 [batch, height, width(, 3)], to the network's input."""
    overlaps: tuple[SplitOverlap, ...]
    """One entry per pair of splits."""
    shared_images: Count = 0
    """Images, over all splits, that are in another split too."""
    splits: Splits[TransformedSplit]
    test_sha256: Sha256
    """`components.io.image_digests.split_sha256` of the test split's pictures: that of an `Evaluation` on them."""

    def file_names(self) -> tuple[str, ...]:
        return (self.graph_file, *(name for _, split in self.splits.items() for name in split.file_names()))
