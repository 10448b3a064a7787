"""From scores to an Evaluation artifact: its files and its statement."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from components.artifacts import Blessing, Evaluation
from components.io.splits import write_predictions
from components.runtime.disk import disk_space_guard

if TYPE_CHECKING:
    from pathlib import Path

    from components.evaluator.findings import Findings
    from components.evaluator.metrics import Scores
    from components.evaluator.predictions import Answers

METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.parquet"


def write_evaluation(
    answers: Answers,
    scores: Scores,
    blessing: Blessing,
    findings: Findings,
    *,
    weights_sha256: str,
    output: Path,
) -> Evaluation:
    """Write `metrics.json`, and `predictions.parquet` with one row a test image.

    Args:
        answers: to the test split.
        scores: of these answers.
        blessing: the verdict.
        findings: what else was found.
        weights_sha256: of the model that was asked.
        output: where to write.
    """
    evaluation = Evaluation(
        test_sha256=answers.split_sha256,
        weights_sha256=weights_sha256,
        metrics=scores.metrics,
        per_class=scores.per_class,
        confusion_matrix=scores.confusion_matrix,
        calibration=findings.calibration,
        slices=findings.slices,
        robustness=findings.robustness,
        infra_validation=findings.infra_validation,
        baseline=findings.baseline,
        predictions_file=PREDICTIONS_FILE,
        metrics_file=METRICS_FILE,
        blessing=blessing,
    )
    stated = evaluation.model_dump(mode="json", exclude={"kind", "predictions_file", "metrics_file"})
    summary = {
        **stated,
        "per_class": {row.name: row.model_dump(mode="json") for row in scores.per_class},
        "worst_slices": [found.key for found in evaluation.worst_slices()],
    }
    with disk_space_guard(output, answers.probabilities.nbytes + answers.images.nbytes, "the predictions"):
        write_predictions(answers.labels, answers.probabilities, answers.images, output / PREDICTIONS_FILE)
        (output / METRICS_FILE).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return evaluation
