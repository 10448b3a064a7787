"""Examples: raw labelled images in three splits, and the anomalies that validation found."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.artifacts.base import Artifact, Count, FileName, Fraction, ImageShape, Splits, Statement


class Source(Statement):
    """Where the images come from."""

    kind: str
    title: str
    """The name of the data set in figures and tables."""
    identity: dict[str, str]
    """What determines the data: digests of files, or an immutable version."""
    conversion: str = ""
    """Conversion of the images, such as `converted to grayscale, resized from 32x32 to 28x28`; empty without one."""


class ExamplesShard(Statement):
    """One Parquet file of a split."""

    file: FileName
    count: Annotated[int, Field(ge=1)]


class ExamplesSplit(Statement):
    """One split of raw images: its files, in order, and statistics."""

    shards: Annotated[tuple[ExamplesShard, ...], Field(min_length=1)]
    count: Annotated[int, Field(ge=1)]
    label_counts: tuple[Count, ...]
    """Images per class, by label."""
    pixel_mean: Annotated[float, Field(ge=0, le=255)]
    """Mean over all pixels and channels."""
    pixel_std: Annotated[float, Field(ge=0, le=255)]
    pixel_histogram: Annotated[tuple[Count, ...], Field(min_length=16, max_length=48)]
    """Pixels by value, in 16 bins of 16; for color, 16 bins each of red, green and blue."""
    ink_histogram: Annotated[tuple[Count, ...], Field(min_length=20, max_length=20)]
    """Images by the mean of their pixels, in 20 bins from 0 to 255."""

    @model_validator(mode="after")
    def _counts_add_up(self) -> Self:
        if sum(self.label_counts) != self.count:
            raise ValueError(f"label counts add up to {sum(self.label_counts)}, not to the count {self.count}")
        if (rows := sum(shard.count for shard in self.shards)) != self.count:
            raise ValueError(f"the files have {rows} images, not the count {self.count}")
        return self

    def file_names(self) -> tuple[str, ...]:
        return tuple(shard.file for shard in self.shards)


Level = Literal["note", "warning", "error"]
"""Severity of an anomaly. An `error` fails the run after all anomalies are reported."""


class Anomaly(Statement):
    """One anomaly in the data."""

    check: str
    """The check that found it, such as `duplicates_across_splits`."""
    level: Level
    message: str
    """One sentence without its full stop."""
    count: Annotated[int, Field(ge=1)]
    """Images, or classes, that are affected."""
    examples: tuple[str, ...] = ()
    """The first of them, as `split/row`; `anomalies_file` lists all."""


class DriftMeasure(Statement):
    """The distance of one distribution from the baseline's."""

    of: str
    """The distribution: `labels`, `ink` or `pixels`."""
    split: str
    distance: Fraction
    method: Literal["largest difference", "Jensen-Shannon"]
    """Largest difference of two fractions, or Jensen-Shannon distance to base 2; both range from 0 to 1."""
    limit: Fraction
    """The distance above which the distribution has drifted."""

    @property
    def drifted(self) -> bool:
        """Whether the distance is above the limit."""
        return self.distance > self.limit


class Drift(Statement):
    """Comparison of these examples with others, such as those of the last blessed run."""

    content_sha256: str
    """`content_sha256` of the source of the other examples."""
    measures: tuple[DriftMeasure, ...]


class Examples(Artifact):
    """Raw images and labels in three splits of Parquet files (see `components.io.splits`)."""

    kind: Literal["examples"] = "examples"
    source: Source
    image_shape: ImageShape
    image_dtype: Literal["uint8"] = "uint8"
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    """The name of each class, by label."""
    strategy: str
    seed: int
    splits: Splits[ExamplesSplit]
    anomalies: tuple[Anomaly, ...] = ()
    """All anomalies, the most severe first."""
    anomalies_file: FileName | None = None
    """CSV with `check`, `level`, `split`, `row`, `id` and `group`: one row per affected image."""
    drift: Drift | None = None
    """None without a baseline."""

    @model_validator(mode="after")
    def _every_class_is_counted(self) -> Self:
        for name, split in self.splits.items():
            if len(split.label_counts) != len(self.class_names):
                raise ValueError(f"{name} counts {len(split.label_counts)} classes of {len(self.class_names)}")
        return self

    def file_names(self) -> tuple[str, ...]:
        files = tuple(name for _, split in self.splits.items() for name in split.file_names())
        return files if self.anomalies_file is None else (*files, self.anomalies_file)
