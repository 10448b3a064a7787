"""From scores to an Evaluation artifact: its files and its statement."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from components.artifacts import Blessing, Evaluation
from components.data.formats import write_predictions
from components.runtime.disk import room_for

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from components.evaluation.metrics import Scores

METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.parquet"


def write_evaluation(
    scores: Scores, blessing: Blessing, labels: NDArray[np.int64], probabilities: NDArray[np.float32], output: Path
) -> Evaluation:
    """Write `metrics.json`, and `predictions.parquet` with one row a test image."""
    summary = {
        "metrics": scores.metrics.model_dump(mode="json"),
        "blessing": blessing.model_dump(mode="json"),
        "per_class": {row.name: row.model_dump(mode="json") for row in scores.per_class},
    }
    with room_for(output, probabilities.nbytes + 2 * labels.nbytes, "the predictions"):
        write_predictions(labels, probabilities, output / PREDICTIONS_FILE)
        (output / METRICS_FILE).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return Evaluation(
        metrics=scores.metrics,
        per_class=scores.per_class,
        confusion_matrix=scores.confusion_matrix,
        predictions_file=PREDICTIONS_FILE,
        metrics_file=METRICS_FILE,
        blessing=blessing,
    )
