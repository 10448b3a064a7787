"""Intervals: estimates with how sure they are, one below the other, on one axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from components.visualizer.report.charts.chart import WIDTH, Chart, Table, line, mark, svg, text
from components.visualizer.report.charts.scale import Scale, around
from components.visualizer.report.format import short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAMES = 118
"""Room for the names of rows, in pixels."""
ROW = 30
LETTERS = 17
"""Of a name that there is room for."""


@dataclass(frozen=True)
class IntervalRow:
    """One estimate; without `low` and `high` nobody knows how sure it is."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    style: int = 1


def interval_chart(
    *,
    title: str,
    alt: str,
    rows: Sequence[IntervalRow],
    table: Table,
    form: Callable[[float], str],
    rule: float | None = None,
    rule_name: str = "",
) -> Chart:
    """Return a row an estimate: a mark for it, and a line from `low` to `high`.

    Args:
        title: what heads the chart.
        alt: what it shows, in words.
        rows: from the top.
        table: a row for each, as it is to be read.
        form: how the axis writes a value.
        rule: a value that all are to be held against.
        rule_name: what it is.
    """
    top = 24 if rule is not None else 6
    bottom = top + ROW * len(rows)
    values = [value for row in rows for value in (row.value, row.low, row.high) if value is not None]
    across = Scale(*around([*values, *([] if rule is None else [rule])], least=0, most=1), NAMES, WIDTH - 16)
    parts = []
    for tick in across.ticks(5):
        parts += [line(across(tick), top, across(tick), bottom, "grid"), text(across(tick), bottom + 16, form(tick))]
    if rule is not None:
        end = "end" if across(rule) > (NAMES + WIDTH) * 0.6 else "start" if across(rule) < WIDTH * 0.45 else "middle"
        parts += [
            line(across(rule), top - 6, across(rule), bottom, "kept"),
            text(across(rule), top - 11, rule_name, "name", end),
        ]
    for number, row in enumerate(rows):
        y = top + ROW * (number + 0.5)
        parts.append(text(NAMES - 10, y + 4, short(row.name, LETTERS), "row", "end"))
        if row.low is not None and row.high is not None:
            parts.append(line(across(row.low), y, across(row.high), y, f"span s{row.style}"))
        parts.append(mark(across(row.value), y, row.style, 5))
        reading = table.reading(number)
        parts.append(
            Markup(
                '<g class="band" data-reading="{}"><rect x="0" y="{}" width="{}" height="{}"/><title>{}</title></g>'
            ).format(reading, top + ROW * number, WIDTH, ROW, reading)
        )
    return Chart(title, alt, svg(WIDTH, bottom + 24, alt, parts), table)
