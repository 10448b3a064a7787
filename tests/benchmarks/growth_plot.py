"""Figure of the growth: seconds and peak memory against the number of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.growth import COMPONENTS, GrowthPoint
from tests.benchmarks.scaling import Scaling

COLORS = dict(zip(COMPONENTS, ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"), strict=True))
"""The color-blind-safe palette of M. Okabe and K. Ito, "Color Universal Design", 2008."""


def draw_growth(points: Sequence[GrowthPoint], scalings: Sequence[Scaling], path: Path) -> Path:
    """Write the figure as PNG, with the exponent of each component in the legend."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    from components.visualizer.plots.style import FAINT, new_figure, save, set_title, style

    sizes = sorted({point.images for point in points})
    with style():
        figure = new_figure(11, 5.8)
        panels = figure.subplots(1, 2)
        for panel, quantity, title, unit in (
            (panels[0], "seconds", "Time of each component", "seconds"),
            (panels[1], "gigabytes", "Peak memory of its process", "GB"),
        ):
            exponents = {one.component: one.exponent for one in scalings if one.quantity == quantity}
            for component in COMPONENTS:
                own = [point for point in points if point.component == component]
                fitted = f": exponent {exponents[component]:.2f}" if component in exponents else ""
                panel.plot(
                    [point.images for point in own], [getattr(point, quantity) for point in own],
                    color=COLORS[component], marker="o", markersize=5, linewidth=1.8, label=component + fitted,
                )  # fmt: skip
            panel.set(xscale="log", yscale="log", title=title, xlabel="images", ylabel=unit)
            bottom, top = panel.get_ylim()
            start = min(getattr(point, quantity) for point in points if point.images == sizes[0])
            panel.plot(
                sizes, [start * size / sizes[0] for size in sizes],
                color=FAINT, linestyle="--", linewidth=1.2, zorder=0, label="linear growth",
            )  # fmt: skip
            panel.set_ylim(bottom, top)
            panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            panel.minorticks_off()
            panel.grid(color="#EEEEEE")
            panel.set_axisbelow(True)
            panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=9)
        set_title(figure, "Growth", "one epoch of training, on synthetic images; both axes are logarithmic")
        path.parent.mkdir(parents=True, exist_ok=True)
        save(figure, path)
    return path
