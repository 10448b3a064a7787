"""Examples: raw labelled images in three splits, and what was found when they were looked at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.artifacts.base import Artifact, Count, FileName, Fraction, ImageShape, Splits, Statement


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
    pixel_histogram: Annotated[tuple[Count, ...], Field(min_length=16, max_length=16)]
    """Pixels by grey value, in 16 steps of 16."""
    ink_histogram: Annotated[tuple[Count, ...], Field(min_length=20, max_length=20)]
    """Images by the mean of their pixels, in 20 steps from 0 to 255."""

    @model_validator(mode="after")
    def _counts_add_up(self) -> ExamplesSplit:
        if sum(self.label_counts) != self.count:
            raise ValueError(f"label counts add up to {sum(self.label_counts)}, not to the count {self.count}")
        return self


Level = Literal["note", "warning", "error"]
"""How grave a finding is: an `error` ends the run, when it has been told."""


class Anomaly(Statement):
    """Something odd that was found in the data."""

    check: str
    """What looked for it, such as `duplicates_across_splits`."""
    level: Level
    message: str
    """In one sentence, without its full stop."""
    count: Annotated[int, Field(ge=1)]
    """Images, or classes, that it is about."""
    examples: tuple[str, ...] = ()
    """The first of them, as `split/row`; `anomalies_file` has all."""


class DriftMeasure(Statement):
    """How far one distribution is from the baseline's."""

    of: str
    """What is distributed: `labels`, `ink` or `pixels`."""
    split: str
    distance: Fraction
    method: Literal["largest difference", "Jensen-Shannon"]
    """The largest difference of two shares, or the Jensen-Shannon distance, to base 2: both from 0 to 1."""
    limit: Fraction
    """What is further away than that has drifted."""

    @property
    def drifted(self) -> bool:
        """Whether it is too far."""
        return self.distance > self.limit


class Drift(Statement):
    """These examples held against others, such as those of the last blessed run."""

    content_sha256: str
    """The `content_sha256` of the others' source."""
    measures: tuple[DriftMeasure, ...]


class Examples(Artifact):
    """Raw images and labels in three splits, one Parquet file each (see `components.io.splits`)."""

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
    anomalies: tuple[Anomaly, ...] = ()
    """All that was found, the gravest first."""
    anomalies_file: FileName | None = None
    """CSV of `check`, `level`, `split`, `row`, `id` and `group`: every image that an anomaly is about."""
    drift: Drift | None = None
    """None without a baseline."""

    @model_validator(mode="after")
    def _every_class_is_counted(self) -> Examples:
        for name, split in self.splits.items():
            if len(split.label_counts) != len(self.class_names):
                raise ValueError(f"{name} counts {len(split.label_counts)} classes of {len(self.class_names)}")
        return self

    def file_names(self) -> tuple[str, ...]:
        files = tuple(split.file for _, split in self.splits.items())
        return files if self.anomalies_file is None else (*files, self.anomalies_file)
