"""Bar charts, line charts and interval charts as SVG."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from components.artifacts import Interval
from components.html.drawing import (
    REFERENCE,
    WIDTH,
    Chart,
    Plot,
    Scale,
    hover_area,
    line,
    marker,
    padded_limits,
    round_values,
    text,
)
from components.html.format import TextTable, short_percent, truncate

MAX_SHORT_NAMES = 12
"""Labels that fit under the axis of a bar chart if all names are short."""
MAX_LONG_NAMES = 5
"""Labels that fit if some names are longer; these are cut to `MAX_LABEL_LENGTH`."""
MAX_LABEL_LENGTH = 9
NAMES_WIDTH = 118
"""Pixels for the names of an interval chart, which are cut to `MAX_NAME_LENGTH`."""
MAX_NAME_LENGTH = 17
ROW_HEIGHT = 30


@dataclass(frozen=True)
class Series:
    """One row of values; `style` is a number in the page's palette, from 1."""

    name: str
    values: tuple[float | None, ...]
    """None where there is no value."""
    style: int


@dataclass(frozen=True)
class IntervalRow:
    """A share and its confidence interval."""

    name: str
    value: float
    interval: Interval
    style: int = 1


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
    """Return an amount for each name, with the series side by side; `table` has one row for each name.

    The bars start at zero, or at 0.5 on a logarithmic scale.
    """
    plot = Plot()
    highest = max(value or 0 for each in series for value in each.values) or 1
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
    max_labels = MAX_SHORT_NAMES if max(map(len, names)) <= 3 else MAX_LONG_NAMES
    labelled = range(0, len(names), -(-len(names) // max_labels))
    plot.add_x_axis(x_name, [(sum(edges[n]) / 2, truncate(names[n], MAX_LABEL_LENGTH)) for n in labelled])
    plot.add_hover_bands(edges, table)
    legend = tuple((each.style, each.name) for each in series) if len(series) > 1 else ()
    return Chart(title, plot.svg(alt), table, legend)


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
    best: tuple[float, str] | None = None,
    small: bool = False,
) -> Chart:
    """Return lines over an ordered quantity, such as epochs or severities.

    `format_value` formats the labels of the y axis, `format_cell` the values of the table. `best` is the place and the
    name of a dashed line.
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
        plot.parts.append(line(to_x(best[0]), plot.top, to_x(best[0]), plot.bottom, "reference"))
    for each in series:
        points = [(to_x(at), to_y(value)) for at, value in zip(x, each.values, strict=True) if value is not None]
        coordinates = " ".join(f"{a:g},{b:g}" for a, b in points)
        plot.parts.append(Markup('<polyline points="{}" class="line s{}"/>').format(coordinates, each.style))
        if len(points) <= 40:  # with more values, the markers would hide the line
            plot.parts += [marker(*point, each.style, 2.6 if small else 3.2) for point in points]

    cells = [["" if value is None else format_cell(value) for value in each.values] for each in series]
    values = zip(x, *cells, strict=True)
    rows = tuple((f"{position:g}", *row) for position, *row in values)
    table = TextTable((x_name, *(each.name for each in series)), rows)
    middles = [(to_x(a) + to_x(b)) / 2 for a, b in pairwise(x)]
    plot.add_hover_bands(zip([plot.left, *middles], [*middles, plot.right], strict=True), table)

    legend = [(each.style, each.name) for each in series] if len(series) > 1 else []
    if best is not None:
        legend.append((REFERENCE, best[1]))
    return Chart(title, plot.svg(alt), table, tuple(legend), small)


def interval_chart(
    *,
    title: str,
    alt: str,
    rows: Sequence[IntervalRow],
    table: TextTable,
    reference: float | None = None,
    reference_name: str = "",
) -> Chart:
    """Return one row an estimate, and a dashed line at `reference`; `table` has the same rows."""
    top = 24 if reference is not None else 6
    bottom = top + ROW_HEIGHT * len(rows)
    values = [value for row in rows for value in (row.value, row.interval.low, row.interval.high)]
    if reference is not None:
        values.append(reference)
    x = Scale(*padded_limits(values, minimum=0, maximum=1), NAMES_WIDTH, WIDTH - 16)
    plot = Plot(height=bottom + 24)
    for tick in x.ticks():
        plot.parts += [line(x(tick), top, x(tick), bottom, "grid"), text(x(tick), bottom + 16, short_percent(tick))]
    if reference is not None:
        place = x(reference)
        anchor = "end" if place > (NAMES_WIDTH + WIDTH) * 0.6 else "start" if place < WIDTH * 0.45 else "middle"
        plot.parts.append(line(place, top - 6, place, bottom, "reference"))
        plot.parts.append(text(place, top - 11, reference_name, "name", anchor))
    for number, row in enumerate(rows):
        y = top + ROW_HEIGHT * (number + 0.5)
        plot.parts += [
            text(NAMES_WIDTH - 10, y + 4, truncate(row.name, MAX_NAME_LENGTH), "row", "end"),
            line(x(row.interval.low), y, x(row.interval.high), y, f"span s{row.style}"),
            marker(x(row.value), y, row.style, 5),
            hover_area(0, top + ROW_HEIGHT * number, WIDTH, ROW_HEIGHT, table.readout(number)),
        ]
    return Chart(title, plot.svg(alt), table)
