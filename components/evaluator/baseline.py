"""Baseline: a paired comparison of two models on the same test images."""

from collections.abc import Sequence

from components.artifacts import Baseline, Evaluation, Metrics, Stored
from components.base.errors import DataError
from components.evaluator.functions import MetricFunction
from components.evaluator.metrics import function_value
from components.evaluator.predictions import Predictions, read_predictions


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
    others = read_predictions(baseline).ordered_as(predictions)
    only_model = int((predictions.right & ~others.right).sum())
    only_baseline = int((others.right & ~predictions.right).sum())
    return Baseline(
        weights_sha256=baseline.artifact.weights_sha256,
        metrics=_baseline_metrics(baseline.artifact.metrics, others, functions),
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
    if only_first_right == only_second_right:  # also without any image
        return 1.0
    images, fewer = only_first_right + only_second_right, min(only_first_right, only_second_right)
    ways, total = 1, 1  # exact, and without SciPy, which takes as long to import as the rest of a comparison
    for chosen in range(fewer):
        ways = ways * (images - chosen) // (chosen + 1)
        total += ways
    return float(2 * total / 2**images)


def _baseline_metrics(baseline: Metrics, predictions: Predictions, functions: Sequence[MetricFunction]) -> Metrics:
    metrics = {name: value for name, value in baseline if name in Metrics.model_fields}
    labels, probabilities = predictions.labels, predictions.probabilities
    metrics |= {function.key: function_value(function, labels, probabilities) for function in functions}
    return Metrics(**metrics)
