"""Loss and accuracy by epoch, for training and validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import MaxNLocator, PercentFormatter

from components.visualizer.plots.style import BLUE, FAINT, INK, ORANGE, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from components.artifacts import Model


def draw_curves(model: Model) -> Figure:
    """Return the learning curves, with the epoch whose weights were kept."""
    epochs = [row.epoch for row in model.history]
    figure = new_figure(9, 4.2)
    panels = figure.subplots(1, 2)
    for panel, name, title in zip(
        panels, ("loss", "accuracy"), ("Loss (cross-entropy, nats)", "Accuracy"), strict=True
    ):
        for attribute, label, colour, marker in (
            (name, "training", BLUE, "o"),
            (f"val_{name}", "validation", ORANGE, "s"),
        ):
            values = [getattr(row, attribute) for row in model.history]
            panel.plot(epochs, values, color=colour, marker=marker, markersize=4, linewidth=1.8, label=label)
        panel.axvline(model.best_epoch, color=FAINT, linewidth=1, linestyle="--", zorder=0)
        panel.set(title=title, xlabel="epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.grid(axis="y", color="#EEEEEE")
    if panels[0].get_ylim()[0] > 0:
        panels[0].set_ylim(bottom=0)
    panels[1].yaxis.set_major_formatter(PercentFormatter(xmax=1))
    if len(epochs) > 1:
        panels[1].annotate(
            f"kept: epoch {model.best_epoch}",
            (model.best_epoch, panels[1].get_ylim()[0]),
            xytext=(-4, 4),
            textcoords="offset points",
            ha="right" if model.best_epoch > 1 else "left",
            fontsize=9,
            color=INK,
        )
    panels[0].legend(loc="upper right")
    kept = model.best
    set_title(figure, "Learning curves", f"validation accuracy {kept.val_accuracy:.2%} at epoch {model.best_epoch}")
    return figure
