"""The confusion matrix: which class is taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import seaborn as sns
from matplotlib.ticker import MaxNLocator

from components.visualizer.plots.style import new_figure, set_title, tick_every

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from components.artifacts import Evaluation

MOST_ANNOTATED = 25
"""Classes up to which every cell says its count."""


def draw_confusion(evaluation: Evaluation) -> Figure:
    """Return the matrix, mistakes in colour; the diagonal stays grey, or it would drown them."""
    counts = np.array(evaluation.confusion_matrix)
    names = [row.name for row in evaluation.per_class]
    classes = len(names)
    right = np.eye(classes, dtype=bool)
    annotate = classes <= MOST_ANNOTATED
    side = float(np.clip(0.62 * classes, 5, 13))
    figure = new_figure(side + 1.2, side + 0.9)
    axes = figure.subplots()
    wrong = int(counts[~right].sum())
    sns.heatmap(
        np.where(right, 0, counts),
        mask=right,
        ax=axes,
        cmap="Oranges",
        vmin=0,
        vmax=max(1, int(counts[~right].max())),
        square=True,
        linewidths=0.5 if annotate else 0,
        linecolor="#F4F4F4",
        cbar_kws={"label": "images mistaken", "shrink": 0.7, "ticks": MaxNLocator(6, integer=True, min_n_ticks=1)},
    )
    if annotate:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                dark = row != column and count > 0.6 * counts[~right].max()
                axes.text(
                    column + 0.5, row + 0.5, f"{count:,}", ha="center", va="center", fontsize=9,
                    color="white" if dark else "#333333",
                )  # fmt: skip
    axes.pcolormesh(np.where(right, 1.0, np.nan), cmap="Greys", vmin=0, vmax=6, zorder=0)
    shown = range(0, classes, tick_every(classes))
    long_names = max(map(len, names)) > 3
    axes.set_xticks(
        [label + 0.5 for label in shown], [names[label] for label in shown], rotation=90 if long_names else 0
    )
    axes.set_yticks([label + 0.5 for label in shown], [names[label] for label in shown], rotation=0)
    axes.set(xlabel="predicted", ylabel="true")
    total = evaluation.metrics.count
    set_title(figure, "Confusion matrix", f"{wrong:,} of {total:,} test images mistaken ({wrong / total:.2%})")
    return figure
