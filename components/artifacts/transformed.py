"""TransformedExamples: scaled images in three splits, and the transform graph."""

from typing import Annotated, Literal

from pydantic import Field

from components.artifacts.base import Artifact, Count, FileName, ImageShape, Sha256, Splits, Statement


class GraphOperation(Statement):
    """One operation of the transform graph (see `components.inference.transform_graph`)."""

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
    """Images that two splits share, pixel by pixel."""

    splits: tuple[str, str]
    images: Count
    """Distinct images that are in both splits."""


class TransformedExamples(Artifact):
    """Scaled images in three splits, and the graph that scaled them."""

    kind: Literal["transformed_examples"] = "transformed_examples"
    title: str
    image_shape: ImageShape
    image_dtype: Literal["float32"] = "float32"
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    graph_file: FileName
    graph: tuple[GraphOperation, ...]
    """Converts raw images, uint8 [batch, height, width], to the network's input."""
    overlaps: tuple[SplitOverlap, ...]
    """One entry per pair of splits."""
    shared_images: Count = 0
    """Images, over all splits, that are in another split too."""
    splits: Splits[TransformedSplit]
    test_sha256: Sha256
    """`components.io.image_digests.split_sha256` of the scaled test split: that of an `Evaluation` on these images."""

    def file_names(self) -> tuple[str, ...]:
        return (self.graph_file, *(name for _, split in self.splits.items() for name in (split.images, split.labels)))
