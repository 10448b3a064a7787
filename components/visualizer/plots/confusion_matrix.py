"""The confusion matrix of the test split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import seaborn as sns
from matplotlib.ticker import MaxNLocator

from components.visualizer.figure_data import ConfusionMatrix
from components.visualizer.plots.style import label_classes, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ANNOTATED_CLASSES = 25


def draw_confusion_matrix(matrix: ConfusionMatrix) -> Figure:
    """Return the matrix with mistakes in colour; a coloured diagonal would hide them, so it is grey."""
    classes = len(matrix.class_names)
    annotate = classes <= MAX_ANNOTATED_CLASSES
    side = float(np.clip(0.62 * classes, 5, 13))
    figure = new_figure(side + 1.2, side + 0.9)
    axes = figure.subplots()
    diagonal = np.eye(classes, dtype=bool)
    most_mistakes = int(matrix.mistakes.max())
    sns.heatmap(
        matrix.mistakes,
        mask=diagonal,
        ax=axes,
        cmap="Oranges",
        vmin=0,
        vmax=max(1, most_mistakes),
        square=True,
        linewidths=0.5 if annotate else 0,
        linecolor="#F4F4F4",
        cbar_kws={"label": "images", "shrink": 0.7, "ticks": MaxNLocator(6, integer=True, min_n_ticks=1)},
    )
    if annotate:
        for (row, column), count in np.ndenumerate(matrix.counts):
            if count:
                dark = row != column and count > 0.6 * most_mistakes
                axes.text(
                    column + 0.5, row + 0.5, f"{count:,}", ha="center", va="center", fontsize=9,
                    color="white" if dark else "#333333",
                )  # fmt: skip
    axes.pcolormesh(np.where(diagonal, 1.0, np.nan), cmap="Greys", vmin=0, vmax=6, zorder=0)
    label_classes(axes.set_xticks, matrix.class_names, offset=0.5, rotate=True)
    label_classes(axes.set_yticks, matrix.class_names, offset=0.5)
    axes.set(xlabel="predicted", ylabel="true")
    wrong, total = int(matrix.mistakes.sum()), matrix.image_count
    set_title(figure, "Confusion matrix", f"{wrong:,} of {total:,} test images misclassified ({wrong / total:.2%})")
    return figure
