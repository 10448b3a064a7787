"""Bar charts: an amount for each of several categories, with the series side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from components.visualizer.format import TextTable, truncate
from components.visualizer.report.charts.chart import Chart, Plot, Series
from components.visualizer.report.charts.scale import Scale

SHORT_NAME_LENGTH = 3
MAX_SHORT_NAMES = 12
"""Labels that fit under the axis if all names are short."""
MAX_LONG_NAMES = 5
"""Labels that fit if some names are longer; these are cut to `MAX_NAME_LENGTH`."""
MAX_NAME_LENGTH = 9


def bar_chart(
    *,
    title: str,
    alt: str,
    names: Sequence[str],
    x_name: str,
    series: Sequence[Series],
    format_value: Callable[[float], str],
    table: TextTable,
    logarithmic: bool = False,
) -> Chart:
    """Return bars that start at zero, or at 0.5 on a logarithmic scale; `table` has one row for each name."""
    plot = Plot()
    highest = max((value for each in series for value in each.values if value is not None), default=0) or 1
    floor, headroom = (0.5, 1.6) if logarithmic else (0.0, 1.04)
    y = Scale(floor, highest * headroom, plot.bottom, plot.top, logarithmic)
    plot.add_y_axis(y, format_value)
    step = (plot.right - plot.left) / len(names)
    width = step * 0.78 / len(series)
    edges = [(plot.left + step * n, plot.left + step * (n + 1)) for n in range(len(names))]
    for number, each in enumerate(series):
        for (left, _), value in zip(edges, each.values, strict=True):
            if value:
                x = left + step * 0.11 + width * number
                plot.parts.append(
                    Markup('<rect x="{:.2f}" y="{}" width="{:.2f}" height="{:.2f}" class="bar s{}"/>').format(
                        x, y(value), max(width - 0.5, 0.6), plot.bottom - y(value), each.style
                    )
                )
    max_labels = MAX_SHORT_NAMES if max(map(len, names)) <= SHORT_NAME_LENGTH else MAX_LONG_NAMES
    labelled = range(0, len(names), -(-len(names) // max_labels))
    plot.add_x_axis(x_name, [(sum(edges[n]) / 2, truncate(names[n], MAX_NAME_LENGTH)) for n in labelled])
    plot.add_hover_bands(edges, table)
    legend = tuple((each.style, each.name) for each in series) if len(series) > 1 else ()
    return Chart(title, plot.svg(alt), table, legend)
