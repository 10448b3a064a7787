"""The reliability diagram: accuracy by confidence (A. Niculescu-Mizil et al., 2005)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from components.artifacts import ReliabilityBin
from components.visualizer.format import TextTable, percent
from components.visualizer.report.charts.chart import REFERENCE, Chart, Plot, line, marker
from components.visualizer.report.charts.scale import Scale

MAX_TICKS = 6


def reliability_chart(title: str, bins: Sequence[ReliabilityBin]) -> Chart:
    """Return the accuracy of each bin over its mean confidence; on the diagonal both are equal."""
    plot = Plot(height=300)
    x, y = Scale(0, 1, plot.left, plot.right), Scale(0, 1, plot.bottom, plot.top)
    plot.add_y_axis(y, lambda value: percent(value, 0), MAX_TICKS)
    plot.add_x_axis("confidence", [(x(tick), percent(tick, 0)) for tick in x.ticks(MAX_TICKS)])
    plot.parts.append(line(x(0), y(0), x(1), y(1), "reference"))
    for each in bins:
        if each.confidence is not None and each.accuracy is not None:
            point = x(each.confidence), y(each.accuracy)
            plot.parts.append(line(point[0], y(each.confidence), *point, "span s2"))
            plot.parts.append(marker(*point, 1, round(2 + math.log10(each.count), 1)))
    rows = tuple(
        (
            f"{percent(each.low, 0)} to {percent(each.high, 0)}",
            f"{each.count:,}",
            "" if each.confidence is None else percent(each.confidence),
            "" if each.accuracy is None else percent(each.accuracy),
        )
        for each in bins
    )
    table = TextTable(("Confidence", "images", "mean confidence", "accuracy"), rows)
    plot.add_hover_bands([(x(each.low), x(each.high)) for each in bins], table)
    alt = (
        "Accuracy by confidence, in bins. A dot below the diagonal is a bin whose predictions are overconfident, "
        "a dot above it one whose predictions are underconfident."
    )
    legend = ((REFERENCE, "perfect calibration"), (1, "one bin; larger dots have more images"))
    return Chart(title, plot.svg(alt), table, legend)
