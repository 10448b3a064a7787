"""Scales: from values to pixels, and the round values that an axis labels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Maps values from `low`..`high` to pixels from `start`..`end`, linearly or logarithmically."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value, to a hundredth: more digits would only make the page larger."""
        low, high, position = (self._transformed(number) for number in (self.low, self.high, value))
        share = (position - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, max_ticks: int = 5) -> list[float]:
        """Return the round values that an axis labels, about `max_ticks` at most."""
        if self.logarithmic:
            return [10.0**power for power in range(math.ceil(math.log10(self.high)) + 1) if 10.0**power <= self.high]
        return round_values(self.low, self.high, max_ticks)

    def _transformed(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.logarithmic else value


def round_values(low: float, high: float, max_values: int) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten from `low` to `high`, at most `max_values` of them.

    >>> round_values(0.0, 1.0, 6)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> round_values(1, 30, 5)
    [10, 20, 30]
    """
    if high <= low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / max_values))
    for step in (power, 2 * power, 5 * power, 10 * power, 20 * power):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < max_values:
            return [round(step) * n if step >= 1 else round(n * step, 12) for n in range(first, last + 1)]
    return [low, high]


def padded_limits(
    values: Iterable[float], *, minimum: float = -math.inf, maximum: float = math.inf
) -> tuple[float, float]:
    """Return axis limits with some padding around the values, within `minimum` and `maximum`."""
    numbers = list(values)
    low, high = min(numbers), max(numbers)
    padding = 0.06 * (high - low) or 0.05 * abs(high) or 0.05
    return max(minimum, low - padding), min(maximum, high + padding)
