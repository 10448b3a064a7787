"""Predictions: the predictions of a model for new images, which have no labels."""

from typing import Annotated, Literal

from pydantic import Field

from components.artifacts.base import Artifact, Count, FileName, Sha256, Statement

CONTINUED_FILES = "continued_files"
"""Observation: the files of predictions that an interrupted attempt had finished."""


class PredictionShard(Statement):
    """One file of predictions."""

    file: FileName
    rows: Annotated[int, Field(ge=1)]


class SkippedImages(Statement):
    """Images and files without a prediction, for the same reason."""

    reason: str
    """Such as `is not a whole picture`."""
    count: Annotated[int, Field(ge=1)]


class Predictions(Artifact):
    """The predictions of a model, in Parquet files with one row per image, in the order of the input."""

    kind: Literal["bulk_predictions"] = "bulk_predictions"
    shards: Annotated[tuple[PredictionShard, ...], Field(min_length=1)]
    """Columns: `path` and `row` of the image, `label` (the most probable class), `probability` (of the label),
    `probabilities` (a list by class), and `image` (the digest of the network's picture, as in an evaluation)."""
    predicted: Annotated[int, Field(ge=1)]
    """Images with a prediction."""
    skipped: Count = 0
    """Images and files without a prediction."""
    skipped_reasons: tuple[SkippedImages, ...] = ()
    """The most frequent first; rare ones may be missing."""
    skipped_file: FileName | None = None
    """A Parquet file with `path`, `row` and `reason` of each skipped image or file; None if there is none."""
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    label_counts: tuple[Count, ...]
    """Predicted images by class."""
    weights_sha256: Sha256
    """Digest of the model's weights."""

    def file_names(self) -> tuple[str, ...]:
        files = tuple(shard.file for shard in self.shards)
        return files if self.skipped_file is None else (*files, self.skipped_file)
