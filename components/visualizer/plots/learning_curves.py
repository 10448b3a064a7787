"""Loss and accuracy by epoch, for training and validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import MaxNLocator, PercentFormatter

from components.visualizer.figure_data import LearningCurve
from components.visualizer.plots.style import BLUE, FAINT, INK, ORANGE, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_learning_curves(loss: LearningCurve, accuracy: LearningCurve) -> Figure:
    """Return one panel a metric, with a line at the epoch whose weights the model has."""
    figure = new_figure(9, 4.2)
    panels = figure.subplots(1, 2)
    for panel, curve in zip(panels, (loss, accuracy), strict=True):
        for values, label, colour, marker in (
            (curve.training, "training", BLUE, "o"),
            (curve.validation, "validation", ORANGE, "s"),
        ):
            panel.plot(curve.epochs, values, color=colour, marker=marker, markersize=4, linewidth=1.8, label=label)
        panel.axvline(curve.best_epoch, color=FAINT, linewidth=1, linestyle="--", zorder=0)
        panel.set(title=curve.title, xlabel="epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.grid(axis="y", color="#EEEEEE")
    if panels[0].get_ylim()[0] > 0:
        panels[0].set_ylim(bottom=0)
    panels[1].yaxis.set_major_formatter(PercentFormatter(xmax=1))
    best = accuracy.best_epoch
    if len(accuracy.epochs) > 1:
        panels[1].annotate(
            f"best epoch: {best}",
            (best, panels[1].get_ylim()[0]),
            xytext=(-4, 4),
            textcoords="offset points",
            ha="right" if best > 1 else "left",
            fontsize=9,
            color=INK,
        )
    panels[0].legend(loc="upper right")
    best_accuracy = accuracy.validation[accuracy.epochs.index(best)]
    set_title(figure, "Learning curves", f"validation accuracy {best_accuracy:.2%} at epoch {best}")
    return figure
