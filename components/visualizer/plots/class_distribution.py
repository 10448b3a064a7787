"""How many images of each class are in each split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.visualizer.plots.style import BLUE, GREEN, ORANGE, new_figure, set_title, tick_every

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure


def draw_class_distribution(counts: Mapping[str, Sequence[int]], class_names: Sequence[str], title: str) -> Figure:
    """Return one panel a split, one bar a class, each panel with its own scale.

    Args:
        counts: images of each class, by label, for each split.
        class_names: by label.
        title: what the data set is called.
    """
    classes = len(class_names)
    figure = new_figure(min(14.0, max(7.0, 0.35 * classes + 2)), 6)
    panels = figure.subplots(len(counts), 1, sharex=True)
    for panel, (split, by_class), colour in zip(panels, counts.items(), (BLUE, ORANGE, GREEN), strict=True):
        panel.bar(range(classes), by_class, color=colour, width=0.75)
        panel.set_title(f"{split}: {sum(by_class):,} images", fontsize=10)
        panel.set_ylabel("images")
        panel.grid(axis="y", color="#EEEEEE")
        panel.set_axisbelow(True)
        panel.locator_params(axis="y", nbins=4)
    shown = range(0, classes, tick_every(classes, most=60))
    long_names = max(map(len, class_names)) > 3
    panels[-1].set_xticks(list(shown), [class_names[label] for label in shown], rotation=90 if long_names else 0)
    panels[-1].set_xlabel("class")
    set_title(figure, "Images of each class", title)
    return figure
