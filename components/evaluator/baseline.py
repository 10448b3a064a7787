"""Baseline: a paired comparison of two models on the same test images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Baseline, Evaluation, Metrics, Stored
from components.base.errors import DataError
from components.evaluator.functions import MetricFunction
from components.evaluator.metrics import function_value
from components.evaluator.predictions import Predictions
from components.io.splits import read_predictions, read_probabilities


def compare(
    predictions: Predictions,
    baseline: Stored[Evaluation],
    *,
    significance: float,
    functions: Sequence[MetricFunction] = (),
) -> Baseline:
    """Compare a model with a baseline image by image; raise DataError if the baseline was scored on other images.

    Custom metrics score both models: the evaluation of the baseline may have had others, or none.
    """
    if predictions.split_sha256 != baseline.artifact.test_sha256:
        raise DataError(
            f"the baseline in {baseline.directory} was scored on other test images "
            f"({baseline.artifact.metrics.count:,}; here there are {len(predictions.labels):,})",
            expected="a baseline that was scored on the same images: the same data and the same split",
            remedy="set evaluator.baseline to another evaluation, or remove it",
        )
    rows = read_predictions(baseline)
    labels = rows["label"].to_numpy()
    model_right = _right_by_image(predictions.images.tolist(), predictions.labels, predictions.classes)
    baseline_right = _right_by_image(rows["image"].tolist(), labels, rows["prediction"].to_numpy())
    only_model, only_baseline = int((model_right & ~baseline_right).sum()), int((baseline_right & ~model_right).sum())
    return Baseline(
        weights_sha256=baseline.artifact.weights_sha256,
        metrics=_baseline_metrics(baseline, labels, functions),
        only_model_right=only_model,
        only_baseline_right=only_baseline,
        p_value=mcnemar(only_model, only_baseline),
        significance=significance,
    )


def mcnemar(only_first_right: int, only_second_right: int) -> float:
    """Return the two-sided p-value of McNemar's exact test (Q. McNemar, Psychometrika 12, 1947).

    If both models are equally good, each image that only one of them predicts correctly belongs to either model with
    probability 1/2.

    >>> mcnemar(2, 10), mcnemar(7, 7)
    (0.03857421875, 1.0)
    """
    from scipy.stats import binomtest  # takes as long to import as the other measurements take to compute

    if only_first_right == only_second_right:  # also without any image
        return 1.0
    return float(binomtest(only_first_right, only_first_right + only_second_right).pvalue)


def _baseline_metrics(
    baseline: Stored[Evaluation], labels: NDArray[np.int64], functions: Sequence[MetricFunction]
) -> Metrics:
    metrics = {name: value for name, value in baseline.artifact.metrics if name in Metrics.model_fields}
    if functions:
        probabilities = read_probabilities(baseline)
        metrics |= {function.key: function_value(function, labels, probabilities) for function in functions}
    return Metrics(**metrics)


def _right_by_image(images: list[bytes], labels: NDArray[np.int64], classes: NDArray[np.int64]) -> NDArray[np.bool_]:
    # Sorted by image digest: two evaluations may have their rows in any order.
    order = sorted(range(len(images)), key=lambda row: (images[row], int(labels[row])))
    return np.asarray(labels == classes)[order]
