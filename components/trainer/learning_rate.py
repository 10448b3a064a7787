"""Learning-rate schedules over the steps of a training."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from components.base.component import ComponentConfig

Rate = Annotated[float, Field(strict=True, gt=0, le=1)]
SCHEDULE_REQUIRED = ConfigDict(json_schema_extra={"required": ["schedule"]})
"""For every schedule except the default, whose name a configuration file may omit."""
ONE_CYCLE_START = 0.1
"""The first rate of `OneCycleRate`, as a fraction of the peak."""


class ConstantRate(ComponentConfig):
    """The same learning rate at every step."""

    model_config = SCHEDULE_REQUIRED

    schedule: Literal["constant"] = "constant"
    """The schedule's name."""
    rate: Rate = 1e-3
    """The learning rate."""

    def build(self, total_steps: int) -> Any:  # noqa: ARG002
        return self.rate


class CosineRate(ComponentConfig):
    """From `peak` down to zero along half a cosine (I. Loshchilov and F. Hutter, SGDR, 2017)."""

    model_config = SCHEDULE_REQUIRED

    schedule: Literal["cosine"] = "cosine"
    """The schedule's name."""
    peak: Rate = 2e-3
    """The first learning rate."""

    def build(self, total_steps: int) -> Any:
        """Return a keras schedule over `total_steps` steps."""
        import keras

        return keras.optimizers.schedules.CosineDecay(self.peak, decay_steps=total_steps)


class OneCycleRate(ComponentConfig):
    """Up from a tenth of `peak` to `peak`, then down to zero, both linear (L. Smith, "A disciplined approach to neural
    network hyper-parameters: Part 1", 2018).

    >>> schedule = OneCycleRate(peak=1.0, warmup=0.5).build(20)
    >>> [round(float(schedule(step)), 2) for step in (0, 10, 15, 20)]
    [0.1, 1.0, 0.5, 0.0]
    """

    schedule: Literal["one_cycle"] = "one_cycle"
    """The schedule's name."""
    peak: Rate = 4e-3
    """The highest learning rate."""
    warmup: Annotated[float, Field(strict=True, gt=0, lt=1)] = 0.25
    """The fraction of the steps before the peak."""

    def build(self, total_steps: int) -> Any:
        import keras
        from keras import ops

        peak, warmup_steps = self.peak, max(1, round(self.warmup * total_steps))
        last_step = max(total_steps, warmup_steps + 1)

        class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
            def __call__(self, step: Any) -> Any:
                now = ops.cast(step, "float32")
                rising = ONE_CYCLE_START + (1 - ONE_CYCLE_START) * now / warmup_steps
                falling = (last_step - now) / (last_step - warmup_steps)
                return peak * ops.maximum(ops.minimum(rising, falling), 0.0)

        return OneCycle()


LearningRate = Annotated[ConstantRate | CosineRate | OneCycleRate, Field(discriminator="schedule")]
