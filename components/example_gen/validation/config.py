"""Configuration of the checks: the level of each anomaly, and its limits."""

from typing import Annotated, Literal

from pydantic import Field

from components.base.component import ComponentConfig

CheckLevel = Literal["off", "note", "warning", "error"]
"""`off`: not checked; `note`: stated in the manifest; `warning`: also printed; `error`: also ends the run."""

DistanceLimit = Annotated[float, Field(strict=True, ge=0, le=1)]


class ClassImbalanceCheck(ComponentConfig):
    """Check for classes with many fewer training images than others."""

    level: CheckLevel = "warning"
    """Level of the anomaly: off, note, warning or error."""
    ratio: Annotated[float, Field(strict=True, ge=1)] = 3.0
    """Limit of the training images of the largest class, divided by those of the smallest."""


class DriftCheck(ComponentConfig):
    """Check for examples that differ from the baseline's.

    Random splits of 1,000 MNIST images stay below all limits, splits of 200 below those of ink and pixels.
    """

    level: CheckLevel = "warning"
    """Level of the anomaly: off, note, warning or error."""
    labels: DistanceLimit = 0.05
    """Limit of the largest difference between two fractions of a class."""
    ink: DistanceLimit = 0.2
    """Limit of the Jensen-Shannon distance between two distributions of the images' mean pixel."""
    pixels: DistanceLimit = 0.1
    """Limit of the Jensen-Shannon distance between two distributions of the pixels, in color by channel."""


class ValidationConfig(ComponentConfig):
    """The checks of the data; an anomaly of level `error` ends the run after all anomalies are reported."""

    constant_images: CheckLevel = "warning"
    """Images whose pixels are all equal, such as empty ones: off, note, warning or error."""
    duplicates_within_split: CheckLevel = "note"
    """Equal images in one split: off, note, warning or error."""
    duplicates_across_splits: CheckLevel = "warning"
    """Equal images in several splits, which make the test measure memorization: off, note, warning or error."""
    conflicting_labels: CheckLevel = "warning"
    """Equal images with different labels: off, note, warning or error."""
    class_imbalance: ClassImbalanceCheck = ClassImbalanceCheck()
    """Class sizes of the training split."""
    drift: DriftCheck = DriftCheck()
    """Distances from the baseline's examples, if there is a baseline."""

    @property
    def needs_images(self) -> bool:
        """Whether any check needs every image."""
        duplicates = (self.duplicates_within_split, self.duplicates_across_splits, self.conflicting_labels)
        return any(level != "off" for level in (self.constant_images, *duplicates))
