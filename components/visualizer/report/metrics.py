"""The figures over the whole test split, of a model and of the baseline that it is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.visualizer.report.charts import Table
from components.visualizer.report.checks import p_words
from components.visualizer.report.format import (
    APOSTROPHE,
    counted,
    interval_words,
    is_share,
    percent,
    points,
    signed,
    title_of,
)

if TYPE_CHECKING:
    from components.artifacts import Baseline, Metrics


def figure_table(metrics: Metrics) -> Table:
    """Return every figure with its interval, and the method that gave it."""
    names = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "calibration_error")
    rows = [
        (title_of(name), percent(getattr(metrics, name)), interval_words(getattr(metrics, f"{name}_interval")))
        for name in names
    ]
    rows += [("loss (nats)", f"{metrics.loss:.4f}", ""), ("Brier score", f"{metrics.brier_score:.4f}", "")]
    confidence = percent(metrics.accuracy_interval.confidence, 0)
    return Table(("Figure", "Test images", f"{confidence} interval"), tuple(rows))


def compare(metrics: Metrics, baseline: Baseline) -> str:
    """Return how far the two are from each other, and whether that is more than noise."""
    differing = baseline.only_model_right + baseline.only_baseline_right
    told = (
        f"The baseline reads {percent(baseline.metrics.accuracy)} of the same images right: a change of "
        f"{points(metrics.accuracy - baseline.metrics.accuracy)}. "
    )
    if not differing:
        return told + "The two are right and wrong on the very same images."
    noise = (
        "so uneven a split would be no surprise between two equally good models"
        if baseline.p_value >= baseline.significance
        else "so uneven a split would be a surprise between two equally good models"
    )
    return told + (
        f"On {counted(differing, 'image')} only one of them is right, this model on {baseline.only_model_right:,} and "
        f"the baseline on {baseline.only_baseline_right:,}; {noise} "
        f"(McNemar{APOSTROPHE}s exact test, {p_words(baseline.p_value)})."
    )


def baseline_table(metrics: Metrics, baseline: Baseline) -> Table:
    """Return every figure of both, and the change."""
    names = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "calibration_error", "loss", "brier_score")
    rows = []
    for name in names:
        now, then = getattr(metrics, name), getattr(baseline.metrics, name)
        form = percent if is_share(name) else (lambda value: f"{value:.4f}")
        change = points(now - then) if is_share(name) else signed(now - then, ".4f")
        rows.append((title_of(name), form(now), form(then), change))
    return Table(("Figure", "This model", "Baseline", "Change"), tuple(rows))
