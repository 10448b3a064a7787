"""The picture of how it grows: seconds and memory against the number of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.growth import COMPONENTS, Grown
from tests.benchmarks.scaling import Scaling

COLOURS = dict(zip(COMPONENTS, ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"), strict=True))
"""Of the colour-blind-safe palette of M. Okabe and K. Ito, "Color Universal Design", 2008."""


def draw_growth(measured: Sequence[Grown], scalings: Sequence[Scaling], path: Path) -> Path:
    """Write the picture as PNG; each component's name stands with its exponent."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    from components.figures.style import FAINT, new_figure, save, set_title, style

    by_component = {one.component: one for one in scalings}
    sizes = sorted({grown.images for grown in measured})
    with style():
        figure = new_figure(11, 5.2)
        panels = figure.subplots(1, 2)
        for panel, title, unit, of, power in (
            (panels[0], "Seconds of each component", "s", "seconds", "seconds"),
            (panels[1], "Peak memory of its process", "GB", "gigabytes", "memory"),
        ):
            for component in COMPONENTS:
                own = [grown for grown in measured if grown.component == component]
                label = component
                if component in by_component:
                    label += f"  (exponent {getattr(by_component[component], power):.2f})"
                values = [getattr(grown, of) for grown in own]
                panel.plot(
                    [grown.images for grown in own], values,
                    color=COLOURS[component], marker="o", markersize=5, linewidth=1.8, label=label,
                )  # fmt: skip
            panel.set(xscale="log", yscale="log", title=title, xlabel="images", ylabel=unit)
            low, high = panel.get_ylim()
            start = min(getattr(grown, of) for grown in measured if grown.images == sizes[0])
            panel.plot(
                sizes, [start * size / sizes[0] for size in sizes],
                color=FAINT, linestyle="--", linewidth=1.2, zorder=0, label="linear",
            )  # fmt: skip
            panel.set_ylim(low, high)
            panel.set_xticks(sizes, [f"{size:,}" for size in sizes])
            panel.xaxis.set_minor_formatter(NullFormatter())
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            panel.yaxis.set_minor_formatter(NullFormatter())
            panel.grid(color="#EEEEEE")
            panel.set_axisbelow(True)
            panel.legend(loc="upper left", fontsize=9)
        set_title(figure, "How the job grows", "one epoch of training, on made-up images; both axes are logarithmic")
        path.parent.mkdir(parents=True, exist_ok=True)
        save(figure, path)
    return path
