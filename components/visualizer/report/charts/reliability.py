"""The reliability diagram: how often answers of a certain confidence are right (A. Niculescu-Mizil et al., 2005)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from components.visualizer.report.charts.chart import (
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    Table,
    bands,
    line,
    mark,
    svg,
    text,
    y_axis,
)
from components.visualizer.report.charts.scale import Scale
from components.visualizer.report.format import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.artifacts import ReliabilityBin


TICKS = 6


def reliability_chart(title: str, bins: Sequence[ReliabilityBin]) -> Chart:
    """Return accuracy over mean confidence, a mark a bin that has images; on the diagonal both are equal."""
    height = 300
    bottom, right = height - 36, WIDTH - RIGHT
    across, up = Scale(0, 1, LEFT, right), Scale(0, 1, bottom, TOP)
    rows = tuple(
        (
            f"{percent(found.low, 0)} to {percent(found.high, 0)}",
            f"{found.count:,}",
            "" if found.confidence is None else percent(found.confidence),
            "" if found.accuracy is None else percent(found.accuracy),
        )
        for found in bins
    )
    table = Table(("Confidence", "images", "on average", "right"), rows)
    parts = [*y_axis(up, LEFT, right, lambda value: percent(value, 0), TICKS)]
    parts += [text(across(tick), bottom + 15, percent(tick, 0)) for tick in across.ticks(TICKS)]
    parts.append(text((LEFT + right) / 2, height - 4, "confidence", "name"))
    parts.append(line(across(0), up(0), across(1), up(1), "kept"))
    for found in bins:
        if found.confidence is not None and found.accuracy is not None:
            x, y = across(found.confidence), up(found.accuracy)
            parts += [
                line(x, up(found.confidence), x, y, "span s2"),
                mark(x, y, 1, round(2 + math.log10(found.count), 1)),
            ]
    parts += bands([(across(found.low), across(found.high)) for found in bins], TOP, bottom, table)
    alt = (
        "Share of right answers by confidence, in bins; a dot below the diagonal is a bin whose answers are surer than "
        "they are right."
    )
    legend = ((0, "as right as it is sure"), (1, "the larger, the more images"))
    return Chart(title, alt, svg(WIDTH, height, alt, parts), table, legend)
