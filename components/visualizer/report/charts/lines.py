"""Line charts: values over an ordered quantity, such as epochs or severities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from markupsafe import Markup

from components.visualizer.format import TextTable
from components.visualizer.report.charts.chart import REFERENCE, Chart, Plot, Series, line, marker
from components.visualizer.report.charts.scale import Scale, round_values

MAX_MARKERS = 40
"""Above this number of values, the lines have no markers."""


def line_chart(
    *,
    title: str,
    alt: str,
    x: Sequence[float],
    x_name: str,
    series: Sequence[Series],
    limits: tuple[float, float],
    format_value: Callable[[float], str],
    format_cell: Callable[[float], str],
    best: float | None = None,
    small: bool = False,
) -> Chart:
    """Return lines over a common x axis.

    `format_value` formats the labels of the y axis, `format_cell` the values of the table. A dashed line marks `best`.
    """
    plot = Plot(width=180, height=150, left=42) if small else Plot()
    to_x = Scale(min(x), max(x), plot.left + 8, plot.right - 8)
    to_y = Scale(*limits, plot.bottom, plot.top)
    plot.add_y_axis(to_y, format_value, 4 if small else 5)
    labelled = [tick for tick in round_values(min(x), max(x), 6 if small else 9) if float(tick).is_integer()]
    if not labelled or labelled[0] - x[0] > (max(x) - min(x)) / 12:
        labelled = sorted({*labelled, x[0]})
    plot.add_x_axis(x_name, [(to_x(tick), f"{tick:g}") for tick in labelled])
    if best is not None:
        plot.parts.append(line(to_x(best), plot.top, to_x(best), plot.bottom, "reference"))
    for each in series:
        points = [(to_x(at), to_y(value)) for at, value in zip(x, each.values, strict=True) if value is not None]
        coordinates = " ".join(f"{a:g},{b:g}" for a, b in points)
        plot.parts.append(Markup('<polyline points="{}" class="line s{}"/>').format(coordinates, each.style))
        if len(x) <= MAX_MARKERS:
            plot.parts += [marker(*point, each.style, 2.6 if small else 3.2) for point in points]

    cells = [["" if value is None else format_cell(value) for value in each.values] for each in series]
    rows = tuple((f"{position:g}", *values) for position, *values in zip(x, *cells, strict=True))
    table = TextTable((x_name, *(each.name for each in series)), rows)
    middles = [(to_x(a) + to_x(b)) / 2 for a, b in pairwise(x)]
    plot.add_hover_bands(list(zip([plot.left, *middles], [*middles, plot.right], strict=True)), table)

    legend = [(each.style, each.name) for each in series] if len(series) > 1 else []
    if best is not None:
        legend.append((REFERENCE, f"best {x_name}: {best:g}"))
    return Chart(title, plot.svg(alt), table, tuple(legend), small)
