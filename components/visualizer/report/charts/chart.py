"""What every chart has: a drawing, words for who cannot see it, and a table of its values."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from components.visualizer.report.charts.scale import Scale

WIDTH = 360
"""Of a drawing, in pixels at the size that its letters are made for: a telephone's screen."""
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 36
"""Margins of the plot within the drawing, for what its axes say."""


@dataclass(frozen=True)
class Table:
    """Values as they are written; the first cell of a row names it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def reading(self, row: int) -> str:
        """Return a row as a sentence: what the page says of the place that a reader points at."""
        name, *cells = self.rows[row]
        head, *columns = self.columns
        told = [f"{column} {cell}" for column, cell in zip(columns, cells, strict=True) if cell]
        return f"{head} {name}: {', '.join(told)}" if head else f"{name}: {', '.join(told)}"


@dataclass(frozen=True)
class Series:
    """One row of values; `style` is its number in the page's palette, from 1."""

    name: str
    values: tuple[float | None, ...]
    style: int


@dataclass(frozen=True)
class Chart:
    """A drawing with all that belongs to it."""

    title: str
    alt: str
    """What it shows, in a sentence or two."""
    drawing: Markup
    table: Table
    legend: tuple[tuple[int, str], ...] = ()
    """Style and name of each series; style 0 is the dashed rule."""
    small: bool = False
    """Whether it is one of many beside each other."""


def svg(width: float, height: float, alt: str, parts: Iterable[Markup]) -> Markup:
    """Return a drawing that is as wide as its place."""
    content = Markup("").join(parts)
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(width, height, alt, content)


def text(x: float, y: float, words: str, css: str = "tick", anchor: str = "middle") -> Markup:
    """Return words at a place; `anchor` says which end of them is there."""
    return Markup('<text x="{}" y="{}" class="{}" text-anchor="{}">{}</text>').format(x, y, css, anchor, words)


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    """Return a straight line."""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(x1, y1, x2, y2, css)


def mark(x: float, y: float, style: int, size: float = 3.2) -> Markup:
    """Return the mark of a series: told apart by its shape too, not by its colour alone."""
    css = f"mark s{style}"
    if style == 1:
        return Markup('<circle cx="{}" cy="{}" r="{}" class="{}"/>').format(x, y, size, css)
    if style == 2:
        return Markup('<rect x="{:.2f}" y="{:.2f}" width="{}" height="{}" class="{}"/>').format(
            x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8, css
        )
    corners = f"{x:.2f},{y - size * 1.2:.2f} {x + size * 1.2:.2f},{y + size:.2f} {x - size * 1.2:.2f},{y + size:.2f}"
    return Markup('<polygon points="{}" class="{}"/>').format(corners, css)


def y_axis(scale: Scale, left: float, right: float, form: Callable[[float], str], most: int = 5) -> Iterable[Markup]:
    """Yield a line and a number for each round value."""
    for value in scale.ticks(most):
        yield line(left, scale(value), right, scale(value), "grid")
        yield text(left - 6, scale(value) + 4, form(value), anchor="end")


def bands(edges: Sequence[tuple[float, float]], top: float, bottom: float, table: Table) -> Iterable[Markup]:
    """Yield what a reader points at: one part of the plot a row of the table, with its reading.

    Args:
        edges: left and right of each.
        top: of all of them.
        bottom: of all of them.
        table: a row a band.
    """
    for row, (left, right) in enumerate(edges):
        reading = table.reading(row)
        yield Markup(
            '<g class="band" data-reading="{}"><rect x="{:.2f}" y="{}" width="{:.2f}" height="{}"/>'
            "<title>{}</title></g>"
        ).format(reading, left, top, right - left, bottom - top, reading)


def between(places: Sequence[float], left: float, right: float) -> list[tuple[float, float]]:
    """Return the edges of bands around places: from one middle to the next."""
    middles = [(a + b) / 2 for a, b in pairwise(places)]
    return list(zip([left, *middles], [*middles, right], strict=True))
