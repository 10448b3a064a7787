"""Evaluation: combine all measurements of a model with its verdict, and write them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.artifacts import (
    Baseline,
    Calibration,
    Evaluation,
    InfraValidation,
    Interval,
    QuantizedExport,
    Robustness,
    Slice,
)
from components.evaluator.blessing import bless, check_changes, check_classes, check_infra, check_metrics, check_slices
from components.evaluator.config import EvaluatorConfig
from components.evaluator.metrics import score
from components.evaluator.predictions import Predictions
from components.io.splits import write_predictions
from components.runtime.disk import disk_space_guard

METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.parquet"


def make_evaluation(
    predictions: Predictions,
    class_names: Sequence[str],
    config: EvaluatorConfig,
    *,
    weights_sha256: str,
    custom_metrics: Mapping[str, float | Interval] | None = None,
    calibration: Calibration | None = None,
    slices: tuple[Slice, ...] = (),
    robustness: Robustness | None = None,
    infra_validation: InfraValidation | None = None,
    quantized: QuantizedExport | None = None,
    baseline: Baseline | None = None,
) -> Evaluation:
    """Score predictions, and return the metrics, the other measurements and the verdict."""
    scores = score(predictions.labels, predictions.probabilities, class_names, custom_metrics)
    checks = [
        *([] if infra_validation is None else [check_infra(infra_validation)]),
        *check_metrics(scores.metrics, config.thresholds),
        *check_classes(scores.per_class, config.class_thresholds),
        *check_slices(slices, config.slice_thresholds),
        *([] if baseline is None else check_changes(scores.metrics, baseline, config.change_thresholds)),
    ]
    return Evaluation(
        test_sha256=predictions.split_sha256,
        weights_sha256=weights_sha256,
        metrics=scores.metrics,
        per_class=scores.per_class,
        confusion_matrix=scores.confusion_matrix,
        calibration=calibration,
        slices=slices,
        robustness=robustness,
        infra_validation=infra_validation,
        quantized=quantized,
        baseline=baseline,
        definitions=(
            *(function.definition("metric") for function in config.metrics),
            *(function.definition("slice") for function in config.slices),
        ),
        predictions_file=PREDICTIONS_FILE,
        metrics_file=METRICS_FILE,
        blessing=bless(*checks),
    )


def write_evaluation(evaluation: Evaluation, predictions: Predictions, output: Path) -> None:
    """Write `metrics.json`, and `predictions.parquet` with one row per test image."""
    unused = {"kind", "predictions_file", "metrics_file"}
    unused |= {name for name in ("definitions", "quantized") if not getattr(evaluation, name)}
    summary = {
        **evaluation.model_dump(mode="json", exclude=unused),
        "per_class": {row.name: row.model_dump(mode="json") for row in evaluation.per_class},
        "worst_slices": [found.key for found in evaluation.worst_slices()],
    }
    with disk_space_guard(output, predictions.probabilities.nbytes + predictions.images.nbytes, "the predictions"):
        write_predictions(predictions.labels, predictions.probabilities, predictions.images, output / PREDICTIONS_FILE)
        (output / METRICS_FILE).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
