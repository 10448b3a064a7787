"""The elements of charts: scales and axes, SVG shapes with hover areas, and the finished Chart."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from components.html.format import TextTable

WIDTH = 360
"""Width of a drawing in pixels at its nominal font size: that of a phone screen."""
REFERENCE = 0
"""The legend style of a dashed reference line."""


@dataclass(frozen=True)
class Chart:
    """A drawing with its title, the table of its values, and its legend."""

    title: str
    drawing: Markup
    table: TextTable
    legend: tuple[tuple[int, str], ...] = ()
    """Style and name of each series."""
    small: bool = False
    """Whether the chart is one of many small ones."""


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
    values: Sequence[float], *, minimum: float = -math.inf, maximum: float = math.inf
) -> tuple[float, float]:
    """Return axis limits with some padding around the values, within `minimum` and `maximum`."""
    low, high = min(values), max(values)
    padding = 0.06 * (high - low) or 0.05 * abs(high) or 0.05
    return max(minimum, low - padding), min(maximum, high + padding)


def text(x: float, y: float, content: str, css: str = "tick", anchor: str = "middle") -> Markup:
    """Return text; `anchor` says which end of it is at x."""
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(x, y, css, anchor, content)


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(x1, y1, x2, y2, css)


def marker(x: float, y: float, style: int, size: float = 3.2) -> Markup:
    """Return the marker of a series; series differ in shape as well as in color."""
    css = f"mark s{style}"
    if style == 1:
        return Markup('<circle cx="{}" cy="{}" r="{}" class="{}"/>').format(x, y, size, css)
    if style == 2:
        return Markup('<rect x="{:.2f}" y="{:.2f}" width="{}" height="{}" class="{}"/>').format(
            x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8, css
        )
    corners = f"{x:.2f},{y - size * 1.2:.2f} {x + size * 1.2:.2f},{y + size:.2f} {x - size * 1.2:.2f},{y + size:.2f}"
    return Markup('<polygon points="{}" class="{}"/>').format(corners, css)


def hover_area(x: float, y: float, width: float, height: float, readout: str) -> Markup:
    """Return an invisible rectangle that shows a readout while the pointer is over it."""
    return Markup(
        '<g class="band" data-readout="{}"><rect x="{:.2f}" y="{}" width="{:.2f}" height="{}"/><title>{}</title></g>'
    ).format(readout, x, y, width, height, readout)


@dataclass
class Plot:
    """A drawing with a y axis on the left and labels below, to which a chart adds its parts."""

    width: float = WIDTH
    height: float = 230
    left: float = 46
    top: float = 10
    parts: list[Markup] = field(default_factory=list)

    @property
    def right(self) -> float:
        return self.width - 12

    @property
    def bottom(self) -> float:
        return self.height - 36

    def add_y_axis(self, scale: Scale, format_value: Callable[[float], str], max_ticks: int = 5) -> None:
        """Add a grid line and a label for each round value."""
        for value in scale.ticks(max_ticks):
            self.parts.append(line(self.left, scale(value), self.right, scale(value), "grid"))
            self.parts.append(text(self.left - 6, scale(value) + 4, format_value(value), anchor="end"))

    def add_x_axis(self, name: str, labels: Iterable[tuple[float, str]]) -> None:
        """Add the labels, each at its pixel, and the name of the axis."""
        self.parts += [text(x, self.bottom + 15, label) for x, label in labels]
        self.parts.append(text((self.left + self.right) / 2, self.height - 4, name, "name"))

    def add_hover_bands(self, edges: Iterable[tuple[float, float]], table: TextTable) -> None:
        """Add one hover area for each row of the table, between its left and right edge."""
        for row, (left, right) in enumerate(edges):
            self.parts.append(hover_area(left, self.top, right - left, self.bottom - self.top, table.readout(row)))

    def svg(self, alt: str) -> Markup:
        """Return the drawing, which scales to the width of its container; `alt` describes it to screen readers."""
        return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
            self.width, self.height, alt, Markup("").join(self.parts)
        )
