"""The metrics over the whole test split, of the model and of its baseline."""

from components.artifacts import Baseline, Metrics
from components.visualizer.format import (
    TextTable,
    counted,
    interval_text,
    is_percentage,
    metric_title,
    p_value_text,
    percent,
    points,
    signed,
)

WITH_INTERVAL = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "calibration_error")


def metrics_table(metrics: Metrics) -> TextTable:
    """Return every metric with its interval and the method of the interval."""
    rows = [
        (metric_title(name), percent(getattr(metrics, name)), interval_text(getattr(metrics, f"{name}_interval")))
        for name in WITH_INTERVAL
    ]
    rows += [("loss (nats)", f"{metrics.loss:.4f}", ""), ("Brier score", f"{metrics.brier_score:.4f}", "")]
    confidence = percent(metrics.accuracy_interval.confidence, 0)
    return TextTable(("Metric", "Test images", f"{confidence} interval"), tuple(rows))


def baseline_comparison(metrics: Metrics, baseline: Baseline) -> str:
    """Return the difference in accuracy and whether it is significant."""
    differing = baseline.only_model_right + baseline.only_baseline_right
    text = (
        f"The baseline classifies {percent(baseline.metrics.accuracy)} of the same images correctly: a change of "
        f"{points(metrics.accuracy - baseline.metrics.accuracy)}. "
    )
    if not differing:
        return text + "Both models are correct on exactly the same images."
    significant = "significant" if baseline.p_value < baseline.significance else "not significant"
    return text + (
        f"Only one of the two is correct on {counted(differing, 'image')}: this model on "
        f"{baseline.only_model_right:,} and the baseline on {baseline.only_baseline_right:,}. The difference is "
        f"{significant} (McNemar’s exact test, {p_value_text(baseline.p_value)})."
    )


def baseline_table(metrics: Metrics, baseline: Baseline) -> TextTable:
    """Return every metric of both models and its change."""
    rows = []
    for name in (*WITH_INTERVAL, "loss", "brier_score"):
        new, old = getattr(metrics, name), getattr(baseline.metrics, name)
        if is_percentage(name):
            cells = (percent(new), percent(old), points(new - old))
        else:
            cells = (f"{new:.4f}", f"{old:.4f}", signed(new - old, ".4f"))
        rows.append((metric_title(name), *cells))
    return TextTable(("Metric", "This model", "Baseline", "Change"), tuple(rows))
