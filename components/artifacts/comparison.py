"""PairedComparison: two evaluations on the same test images, compared image by image."""

from typing import Annotated, Literal

from pydantic import Field

from components.artifacts.base import Count, Fraction, Statement


class DifferenceInterval(Statement):
    """A confidence interval of a difference, and its method."""

    low: float
    high: float
    confidence: Fraction = 0.95
    method: Literal["newcombe", "bootstrap"]
    """`newcombe`: from the score intervals of two proportions; `bootstrap`: percentiles over resampled test images."""
    resamples: Count = 0


class MetricComparison(Statement):
    """A metric of two models on the same images."""

    first: float
    second: float
    difference: float
    """The second minus the first."""
    interval: DifferenceInterval | None
    """Of the difference: of accuracy, Newcombe's from Wilson's intervals; of others, over resampled images on which
    both models are scored; None for a custom metric."""


class ComparedImage(Statement):
    """A test image that only one of two models classifies correctly."""

    row: Count
    """In the predictions of the first evaluation, and so in its test split."""
    image: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    """The digest of `components.io.image_digests`."""
    label: Count
    first: Count
    """The class that the first model predicts."""
    first_confidence: Fraction
    second: Count
    second_confidence: Fraction


class PairedComparison(Statement):
    """Two evaluations on the same test images."""

    metrics: dict[str, MetricComparison]
    """The metrics that both evaluations have, in their order."""
    only_first_right: tuple[ComparedImage, ...]
    """Images that only the first model classifies correctly, sorted by the confidence of the other, highest first."""
    only_second_right: tuple[ComparedImage, ...]
    p_value: Fraction
    """p-value of McNemar's exact test, two-sided (Q. McNemar, 1947)."""


class ChangedImage(Statement):
    """An image that is in only one of two splits, or has different labels in them."""

    id: str
    """Its row in the source, such as `train/17`; for a relabelled image, in the source of the first data."""
    row: Count
    """In its split; for a relabelled image, in that of the first data."""
    label: Count
    label_after: Count | None = None
    """The label in the second data, for a relabelled image."""


class SplitChanges(Statement):
    """Differences between the images of a split in two data sets, compared pixel by pixel."""

    added: Count
    """Images that only the second data have in this split."""
    removed: Count
    """Images that only the first data have in this split."""
    relabelled: Count
    """Images with another label in the second data."""
    added_images: tuple[ChangedImage, ...]
    """The first of them."""
    removed_images: tuple[ChangedImage, ...]
    relabelled_images: tuple[ChangedImage, ...]


class DataChanges(Statement):
    """Differences between two data sets."""

    splits: dict[str, SplitChanges]
    moved: Count
    """Images that only changed their split: they count as removed from one and as added to the other."""
