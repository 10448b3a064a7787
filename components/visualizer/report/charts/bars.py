"""Bars: an amount for each of several things, side by side where there are several series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from components.visualizer.report.charts.chart import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    Series,
    Table,
    bands,
    svg,
    text,
    y_axis,
)
from components.visualizer.report.charts.scale import Scale
from components.visualizer.report.format import short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_NAMED = 12
LONG = 3
"""Letters up to which so many names stand beside each other."""
FEW = 5
"""How many longer ones do, cut to `LETTERS`."""
LETTERS = 9


def bar_chart(
    *,
    title: str,
    alt: str,
    names: Sequence[str],
    x_name: str,
    series: Sequence[Series],
    form: Callable[[float], str],
    table: Table,
    logarithmic: bool = False,
) -> Chart:
    """Return bars from zero, or from one where the scale is logarithmic.

    Args:
        title: what heads the chart.
        alt: what it shows, in words.
        names: of the things.
        x_name: what these are.
        series: an amount for each of them.
        form: how the axis writes an amount.
        table: a row a thing.
        logarithmic: whether the scale is, for amounts of very different size.
    """
    height = 230
    right, bottom = WIDTH - RIGHT, height - BOTTOM
    highest = max((value for each in series for value in each.values if value is not None), default=0) or 1
    floor = 0.5 if logarithmic else 0.0
    up = Scale(floor, highest * (1.6 if logarithmic else 1.04), bottom, TOP, logarithmic)
    step = (right - LEFT) / len(names)
    edges = [(LEFT + step * n, LEFT + step * (n + 1)) for n in range(len(names))]
    bar = step * 0.78 / len(series)
    parts = [*y_axis(up, LEFT, right, form)]
    for number, each in enumerate(series):
        for (left, _), value in zip(edges, each.values, strict=True):
            if value:
                x = left + step * 0.11 + bar * number
                parts.append(
                    Markup('<rect x="{:.2f}" y="{}" width="{:.2f}" height="{:.2f}" class="bar s{}"/>').format(
                        x, up(value), max(bar - 0.5, 0.6), bottom - up(value), each.style
                    )
                )
    few = MOST_NAMED if max(map(len, names)) <= LONG else FEW
    every = -(-len(names) // few)
    parts += [
        text((left + end) / 2, bottom + 15, short(names[n], LETTERS))
        for n, (left, end) in enumerate(edges)
        if not n % every
    ]
    parts.append(text((LEFT + right) / 2, height - 4, x_name, "name"))
    parts += bands(edges, TOP, bottom, table)
    legend = tuple((each.style, each.name) for each in series) if len(series) > 1 else ()
    return Chart(title, alt, svg(WIDTH, height, alt, parts), table, legend)
