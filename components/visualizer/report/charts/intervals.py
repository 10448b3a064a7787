"""Interval charts: estimates with their confidence intervals, one below the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from components.visualizer.format import TextTable, short_percent, truncate
from components.visualizer.report.charts.chart import WIDTH, Chart, hover_area, line, marker, svg, text
from components.visualizer.report.charts.scale import Scale, padded_limits

NAMES_WIDTH = 118
ROW_HEIGHT = 30
MAX_NAME_LENGTH = 17


@dataclass(frozen=True)
class IntervalRow:
    """A share and its confidence interval."""

    name: str
    value: float
    low: float
    high: float
    style: int = 1


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
    values = [value for row in rows for value in (row.value, row.low, row.high)]
    if reference is not None:
        values.append(reference)
    x = Scale(*padded_limits(values, minimum=0, maximum=1), NAMES_WIDTH, WIDTH - 16)
    parts = []
    for tick in x.ticks(5):
        parts += [line(x(tick), top, x(tick), bottom, "grid"), text(x(tick), bottom + 16, short_percent(tick))]
    if reference is not None:
        place = x(reference)
        anchor = "end" if place > (NAMES_WIDTH + WIDTH) * 0.6 else "start" if place < WIDTH * 0.45 else "middle"
        parts += [
            line(place, top - 6, place, bottom, "reference"),
            text(place, top - 11, reference_name, "name", anchor),
        ]
    for number, row in enumerate(rows):
        y = top + ROW_HEIGHT * (number + 0.5)
        parts += [
            text(NAMES_WIDTH - 10, y + 4, truncate(row.name, MAX_NAME_LENGTH), "row", "end"),
            line(x(row.low), y, x(row.high), y, f"span s{row.style}"),
            marker(x(row.value), y, row.style, 5),
            hover_area(0, top + ROW_HEIGHT * number, WIDTH, ROW_HEIGHT, table.readout(number)),
        ]
    return Chart(title, svg(WIDTH, bottom + 24, alt, parts), table)
