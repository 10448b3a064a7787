"""Scales: from values to places, and which values an axis names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Scale:
    """Leads values from `low` to `high` to places from `start` to `end`, linearly or by the logarithm."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value, to a hundredth of a pixel: more would only make the page longer."""
        low, high, at = (self._bent(number) for number in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, most: int = 5) -> list[float]:
        """Return round values, at most about so many, that the axis should name."""
        if self.logarithmic:
            return [10.0**power for power in range(math.ceil(math.log10(self.high)) + 1) if 10.0**power <= self.high]
        return round_values(self.low, self.high, most)

    def _bent(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.logarithmic else value


def round_values(low: float, high: float, most: int) -> list[float]:
    """Return the multiples of 1, 2 or 5 times a power of ten from `low` to `high`, the closest with at most `most`.

    >>> round_values(0.0, 1.0, 6)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> round_values(1, 30, 5)
    [10, 20, 30]
    """
    if high <= low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (power, 2 * power, 5 * power, 10 * power, 20 * power):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            whole = step >= 1
            return [round(step) * n if whole else round(n * step, 12) for n in range(first, last + 1)]
    return [low, high]


def around(values: Iterable[float], *, least: float = -math.inf, most: float = math.inf) -> tuple[float, float]:
    """Return limits that leave a little room around values, but not beyond `least` and `most`."""
    found = list(values)
    low, high = min(found), max(found)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.05
    return max(least, low - room), min(most, high + room)
