"""Lines: values over something that has an order, such as epochs or severities."""

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
    between,
    line,
    mark,
    svg,
    text,
    y_axis,
)
from components.visualizer.report.charts.scale import Scale, round_values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KEPT = 0
"""The style of a rule that marks a place."""
MOST_MARKS = 40
"""Values up to which each has a mark of its own."""


def line_chart(
    *,
    title: str,
    alt: str,
    x: Sequence[float],
    x_name: str,
    series: Sequence[Series],
    limits: tuple[float, float],
    form: Callable[[float], str],
    written: Callable[[float], str],
    kept: float | None = None,
    small: bool = False,
) -> Chart:
    """Return lines over a common axis.

    Args:
        title: what heads the chart.
        alt: what it shows, in words.
        x: the place of each value, rising.
        x_name: what these are.
        series: the lines.
        limits: of the values.
        form: how the axis writes a value.
        written: how the table does.
        kept: a place to be marked with a rule.
        small: whether it is one of many beside each other.
    """
    width, height = (180, 150) if small else (WIDTH, 230)
    left, right, bottom = (42 if small else LEFT), width - RIGHT, height - BOTTOM
    across = Scale(min(x), max(x), left + 8, right - 8)
    up = Scale(*limits, bottom, TOP)
    named = [tick for tick in round_values(min(x), max(x), 6 if small else 9) if float(tick).is_integer()]
    named = sorted({*named, x[0]}) if not named or named[0] - x[0] > (max(x) - min(x)) / 12 else named
    rows = tuple(
        (f"{at:g}", *(("" if (value := each.values[n]) is None else written(value)) for each in series))
        for n, at in enumerate(x)
    )
    table = Table((x_name, *(each.name for each in series)), rows)
    parts = [*y_axis(up, left, right, form, 4 if small else 5)]
    parts += [text(across(tick), bottom + 15, f"{tick:g}") for tick in named]
    parts.append(text((left + right) / 2, height - 4, x_name, "name"))
    if kept is not None:
        parts.append(line(across(kept), TOP, across(kept), bottom, "kept"))
    for each in series:
        places = [(across(at), up(value)) for at, value in zip(x, each.values, strict=True) if value is not None]
        parts.append(
            Markup('<polyline points="{}" class="line s{}"/>').format(
                " ".join(f"{a:g},{b:g}" for a, b in places), each.style
            )
        )
        parts += [mark(*place, each.style, 2.6 if small else 3.2) for place in places if len(x) <= MOST_MARKS]
    parts += bands(between([across(at) for at in x], left, right), TOP, bottom, table)
    legend = [(each.style, each.name) for each in series] if len(series) > 1 else []
    if kept is not None:
        legend.append((KEPT, f"kept: {x_name} {kept:g}"))
    return Chart(title, alt, svg(width, height, alt, parts), table, tuple(legend), small)
