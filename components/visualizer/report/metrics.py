"""The metrics over the whole test split, of the model and of its baseline."""

from components.artifacts import Baseline, Metrics
from components.artifacts.evaluation import METRIC_NAMES
from components.visualizer.format import (
    METRIC_FORMATS,
    TextTable,
    counted,
    interval_text,
    is_percentage,
    metric_title,
    percent,
    points,
    signed,
)
from components.visualizer.report.checks import p_value_text

NAMES = sorted(METRIC_NAMES, key=list(METRIC_FORMATS).index)


def metrics_table(metrics: Metrics) -> TextTable:
    """Return every metric with its interval, if it has one, and the method of the interval."""
    rows = []
    for name in NAMES:
        title, unit = METRIC_FORMATS[name]
        value, interval = getattr(metrics, name), getattr(metrics, f"{name}_interval", None)
        rows.append(
            (
                title if unit in ("", "%") else f"{title} ({unit})",
                percent(value) if unit == "%" else f"{value:.4f}",
                interval_text(interval) if interval else "",
            )
        )
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
    for name in NAMES:
        new, old = getattr(metrics, name), getattr(baseline.metrics, name)
        if is_percentage(name):
            cells = (percent(new), percent(old), points(new - old))
        else:
            cells = (f"{new:.4f}", f"{old:.4f}", signed(new - old, ".4f"))
        rows.append((metric_title(name), *cells))
    return TextTable(("Metric", "This model", "Baseline", "Change"), tuple(rows))
