"""The number of images of each class in each split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.visualizer.figure_data import ClassDistribution
from components.visualizer.plots.style import BLUE, GREEN, ORANGE, label_classes, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_LABELS = 60


def draw_class_distribution(distribution: ClassDistribution) -> Figure:
    """Return one panel a split and one bar a class; each panel has its own scale."""
    classes = len(distribution.class_names)
    figure = new_figure(min(14.0, max(7.0, 0.35 * classes + 2)), 6)
    panels = figure.subplots(len(distribution.counts), 1, sharex=True)
    for panel, (split, counts), colour in zip(panels, distribution.counts.items(), (BLUE, ORANGE, GREEN), strict=True):
        panel.bar(range(classes), counts, color=colour, width=0.75)
        panel.set_title(f"{split}: {sum(counts):,} images", fontsize=10)
        panel.set_ylabel("images")
        panel.grid(axis="y", color="#EEEEEE")
        panel.set_axisbelow(True)
        panel.locator_params(axis="y", nbins=4)
    label_classes(panels[-1].set_xticks, distribution.class_names, max_labels=MAX_LABELS, rotate=True)
    panels[-1].set_xlabel("class")
    set_title(figure, "Images of each class", distribution.dataset)
    return figure
