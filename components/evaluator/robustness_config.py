"""On which spoilt images the model is tried: the configuration."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from components.base.component import ComponentConfig, Seed

CorruptionName = Literal["shift", "rotation", "scale", "noise", "blur", "contrast", "occlusion"]
CORRUPTION_NAMES: tuple[CorruptionName, ...] = get_args(CorruptionName)


class RobustnessConfig(ComponentConfig):
    """On which spoilt images the model is tried."""

    images: Annotated[int, Field(strict=True, ge=0)] = 100
    """Test images that each corruption is tried on at each severity; fewer where all of them together would be more
    than a quarter of the images that the evaluation asks the model about anyway, and more work than to load it. 0 for
    none."""
    corruptions: Annotated[tuple[CorruptionName, ...], Field(min_length=1)] = CORRUPTION_NAMES
    """In which ways images are spoilt."""
    seed: Seed = 0
    """Decides which images are tried, and what is random in a corruption. The job's seed has no say in it: models
    are compared on the same images, spoilt in the same way."""

    @field_validator("corruptions")
    @classmethod
    def _each_once(cls, value: tuple[CorruptionName, ...]) -> tuple[CorruptionName, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a corruption is named twice")
        return value
