"""A gallery of the most confident mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.visualizer.figure_data import ConfidentMistakes
from components.visualizer.plots.style import VERMILION, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 8


def draw_mistakes(mistakes: ConfidentMistakes) -> Figure:
    """Return the misclassified images with true and predicted class, the most confident first."""
    rows = max(1, -(-len(mistakes.shown) // COLUMNS))
    figure = new_figure(11, 1.62 * rows + 0.7)
    axes = figure.subplots()
    axes.set_axis_off()
    if not mistakes.shown:
        figure.text(0.5, 0.4, f"none in {mistakes.image_count:,} test images", ha="center", fontsize=12)
    for place, mistake in enumerate(mistakes.shown):
        height, width = mistake.image.shape[:2]
        gap, label_height = 0.12 * width, 0.42 * height
        row, column = divmod(place, COLUMNS)
        left, top = column * (width + gap) + gap / 2, row * (height + label_height) + label_height
        axes.imshow(
            mistake.image[..., 0], cmap="gray_r", vmin=0, vmax=1, extent=(left, left + width, top + height, top)
        )
        axes.text(
            left + width / 2, top,
            f"{mistake.class_name} → {mistake.predicted}\n{mistake.confidence:.1%} confident",
            ha="center", va="bottom", fontsize=8.5, color=VERMILION,
        )  # fmt: skip
        axes.set(xlim=(0, COLUMNS * (width + gap)), ylim=(rows * (height + label_height), 0))  # imshow changes them
    shown, total = len(mistakes.shown), mistakes.total
    which = f"{shown} of {total:,}" if shown < total else f"all {total:,}"
    note = f"{which} mistakes among {mistakes.image_count:,} test images; true → predicted class"
    set_title(figure, "Most confident mistakes", note)
    return figure
