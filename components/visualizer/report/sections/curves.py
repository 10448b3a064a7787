"""Learning curves: how loss and accuracy went from epoch to epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.visualizer.report.charts import Chart, Series, line_chart
from components.visualizer.report.charts.scale import around
from components.visualizer.report.format import counted, percent, short_percent

if TYPE_CHECKING:
    from components.artifacts import Model


@dataclass(frozen=True)
class Curves:
    """What the section shows."""

    told: str
    charts: tuple[Chart, ...]


def tell_curves(model: Model) -> Curves:
    """Return the section; every model has a history."""
    history, kept = model.history, model.best
    epochs = [row.epoch for row in history]
    stopped = " Training stopped early: it did not get better any more." if model.stopped_early else ""
    told = (
        f"After {counted(len(history), 'epoch')}, the weights of epoch {model.best_epoch} were kept. They read "
        f"{percent(kept.val_accuracy)} of the validation images right, which the network does not learn from, and "
        f"{percent(kept.accuracy)} of those that it learns from, as it met them during that epoch.{stopped}"
    )
    charts = []
    for name, title, form, written, least, most in (
        ("loss", "Loss (cross-entropy, nats)", "{:g}".format, "{:.4f}".format, 0.0, float("inf")),
        ("accuracy", "Accuracy", short_percent, percent, 0.0, 1.0),
    ):
        series = [
            Series("training", tuple(getattr(row, name) for row in history), 1),
            Series("validation", tuple(getattr(row, f"val_{name}") for row in history), 2),
        ]
        values = [value for each in series for value in each.values if value is not None]
        low, high = around(values, least=least, most=most)
        charts.append(
            line_chart(
                title=title,
                alt=f"{title} by epoch; {series[0].name} ends at {written(values[len(history) - 1])}, "
                f"{series[1].name} at {written(values[-1])}. Epoch {model.best_epoch} was kept.",
                x=epochs,
                x_name="epoch",
                series=series,
                limits=(0.0 if name == "loss" else low, high),
                form=form,
                written=written,
                kept=model.best_epoch if len(history) > 1 else None,
            )
        )
    return Curves(told, tuple(charts))
