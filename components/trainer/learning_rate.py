"""Learning-rate schedules: a number for every training step, computed in the graph."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from components.base.component import ComponentConfig

Rate = Annotated[float, Field(strict=True, gt=0, le=1)]
NAMED = ConfigDict(json_schema_extra={"required": ["schedule"]})
"""For all but the default schedule, which a file need not name."""


class ConstantRate(ComponentConfig):
    """The same learning rate at every step."""

    model_config = NAMED

    schedule: Literal["constant"] = "constant"
    """Which schedule this is."""
    rate: Rate = 1e-3
    """Adam's learning rate."""

    def build(self, total_steps: int) -> Any:  # noqa: ARG002
        """Return the rate."""
        return self.rate


class CosineRate(ComponentConfig):
    """From `peak` down to zero along half a cosine (I. Loshchilov and F. Hutter, SGDR, 2017)."""

    model_config = NAMED

    schedule: Literal["cosine"] = "cosine"
    """Which schedule this is."""
    peak: Rate = 2e-3
    """The first learning rate."""

    def build(self, total_steps: int) -> Any:
        """Return a keras schedule over `total_steps` steps."""
        import keras

        return keras.optimizers.schedules.CosineDecay(self.peak, decay_steps=total_steps)


class OneCycleRate(ComponentConfig):
    """Up from a tenth of `peak` to `peak`, then down to zero, both linear (L. Smith, 1-cycle policy, 2018)."""

    schedule: Literal["one_cycle"] = "one_cycle"
    """Which schedule this is."""
    peak: Rate = 4e-3
    """The highest learning rate."""
    warmup: Annotated[float, Field(strict=True, gt=0, lt=1)] = 0.25
    """Share of the steps until the peak."""

    def build(self, total_steps: int) -> Any:
        """Return a keras schedule over `total_steps` steps."""
        from components.trainer.one_cycle import OneCycle

        return OneCycle(peak=self.peak, warmup_steps=max(1, round(self.warmup * total_steps)), total_steps=total_steps)


LearningRate = Annotated[ConstantRate | CosineRate | OneCycleRate, Field(discriminator="schedule")]
