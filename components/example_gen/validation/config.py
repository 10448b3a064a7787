"""Which checks ExampleGen makes of the data, how grave each finding is, and its limit: the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from components.base.component import ComponentConfig

CheckLevel = Annotated[
    Literal["off", "note", "warning", "error"],
    BeforeValidator(lambda value: "off" if value is False else value),
    # YAML 1.1, and so PyYAML, reads `off` as false; YAML 1.2, and so many an editor, as a string.
    WithJsonSchema({"enum": ["off", "note", "warning", "error", False]}),
]
"""`off`: not looked for; `note`: stated in the manifest; `warning`: told too; `error`: told, and the run ends."""

Limit = Annotated[float, Field(strict=True, ge=0, le=1)]


class ClassImbalanceCheck(ComponentConfig):
    """A class that training sees much less of than of another."""

    level: CheckLevel = "warning"
    """How grave it is: off, note, warning or error."""
    ratio: Annotated[float, Field(strict=True, ge=1)] = 3.0
    """The largest class of the training split may have so many times the images of the smallest."""


class DriftCheck(ComponentConfig):
    """Examples that are not like the baseline's.

    Chance alone stays below the limits between splits of 1,000 MNIST images, and below those of ink and pixels
    between splits of 200.
    """

    level: CheckLevel = "warning"
    """How grave it is: off, note, warning or error."""
    labels: Limit = 0.05
    """Limit of the largest difference between two shares of a class."""
    ink: Limit = 0.2
    """Limit of the Jensen-Shannon distance between two distributions of an image's mean grey value."""
    pixels: Limit = 0.1
    """Limit of the Jensen-Shannon distance between two distributions of the pixels' grey values."""


class ChecksConfig(ComponentConfig):
    """What is looked for in the data, and how grave it is; `error` ends the run once all has been told."""

    constant_images: CheckLevel = "warning"
    """Images whose pixels are all equal, such as empty ones: off, note, warning or error."""
    duplicates_within_split: CheckLevel = "note"
    """Images that stand more than once in a split: off, note, warning or error."""
    duplicates_across_splits: CheckLevel = "warning"
    """Images that stand in more than one split, so that the test is of what was learned by heart: off, note,
    warning or error."""
    conflicting_labels: CheckLevel = "warning"
    """Equal images with different labels: off, note, warning or error."""
    class_imbalance: ClassImbalanceCheck = ClassImbalanceCheck()
    """Whether the training split has much more of one class than of another."""
    drift: DriftCheck = DriftCheck()
    """Whether the examples are unlike the baseline's, where there is a baseline."""

    @property
    def look_at_images(self) -> bool:
        """Whether any check has to see every image."""
        asked = (
            self.constant_images,
            self.duplicates_within_split,
            self.duplicates_across_splits,
            self.conflicting_labels,
        )
        return any(level != "off" for level in asked)
