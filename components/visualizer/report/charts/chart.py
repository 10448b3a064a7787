"""Chart: an SVG drawing with a description and a table of its values, and the elements that charts consist of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from components.visualizer.format import TextTable
from components.visualizer.report.charts.scale import Scale

WIDTH = 360
"""Width of a drawing in pixels at its nominal font size: that of a phone screen."""
REFERENCE = 0
"""The legend style of a dashed reference line."""


@dataclass(frozen=True)
class Series:
    """One row of values; `style` is a number in the page's palette, from 1."""

    name: str
    values: tuple[float | None, ...]
    style: int


@dataclass(frozen=True)
class Chart:
    """A drawing with its title, values and legend."""

    title: str
    drawing: Markup
    table: TextTable
    legend: tuple[tuple[int, str], ...] = ()
    """Style and name of each series."""
    small: bool = False
    """Whether the chart is one of many small ones."""


def text(x: float, y: float, content: str, css: str = "tick", anchor: str = "middle") -> Markup:
    """Return text; `anchor` says which end of it is at x."""
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(x, y, css, anchor, content)


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(x1, y1, x2, y2, css)


def marker(x: float, y: float, style: int, size: float = 3.2) -> Markup:
    """Return the marker of a series; series differ in shape as well as in colour."""
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


def svg(width: float, height: float, alt: str, parts: Iterable[Markup]) -> Markup:
    """Return a drawing that scales to the width of its container; `alt` describes it to screen readers."""
    content = Markup("").join(parts)
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(width, height, alt, content)


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

    def add_hover_bands(self, edges: Sequence[tuple[float, float]], table: TextTable) -> None:
        """Add one hover area for each row of the table, between its left and right edge."""
        for row, (left, right) in enumerate(edges):
            self.parts.append(hover_area(left, self.top, right - left, self.bottom - self.top, table.readout(row)))

    def svg(self, alt: str) -> Markup:
        return svg(self.width, self.height, alt, self.parts)
