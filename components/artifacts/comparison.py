"""PairedComparison: two evaluations on the same test images, compared image by image."""

from typing import Annotated

from pydantic import Field

from components.artifacts.base import Count, Fraction, Statement
from components.artifacts.evaluation import Interval


class MetricComparison(Statement):
    """A metric of two models on the same images."""

    first: float
    second: float
    difference: float
    """The second minus the first."""
    interval: Interval | None
    """Of the difference, over resampled images on which both models are scored; None for a custom metric."""


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
    """Images that only the first model classifies correctly; those first in which the other is most confident."""
    only_second_right: tuple[ComparedImage, ...]
    p_value: Fraction
    """p-value of McNemar's exact test, two-sided (Q. McNemar, 1947)."""
