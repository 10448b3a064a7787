"""The one-cycle learning rate as a Keras schedule."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

START = 0.1
"""The first rate, as a share of the peak."""


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Linear from a tenth of `peak` to `peak` over `warmup_steps`, then linear to zero at `total_steps`.

    Source: L. Smith, "A disciplined approach to neural network hyper-parameters: Part 1", 2018.

        >>> schedule = OneCycle(peak=1.0, warmup_steps=10, total_steps=20)
        >>> [round(float(schedule(step)), 2) for step in (0, 10, 15, 20)]
        [0.1, 1.0, 0.5, 0.0]
    """

    def __init__(self, *, peak: float, warmup_steps: int, total_steps: int) -> None:
        super().__init__()
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.total_steps = max(total_steps, warmup_steps + 1)

    def __call__(self, step: Any) -> Any:
        """Return the rate at `step`, counted from 0."""
        now = ops.cast(step, "float32")
        rising = START + (1 - START) * now / self.warmup_steps
        falling = (self.total_steps - now) / (self.total_steps - self.warmup_steps)
        return self.peak * ops.maximum(ops.minimum(rising, falling), 0.0)

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "total_steps": self.total_steps}
