"""Two models' answers to the same images: a paired comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.artifacts import Baseline
from components.base.errors import DataError
from components.io.splits import read_predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from components.artifacts import Evaluation, Stored
    from components.evaluator.predictions import Answers


def compare(answers: Answers, baseline: Stored[Evaluation], *, significance: float) -> Baseline:
    """Compare a model's answers with those of another model to the same images, image by image.

    Args:
        answers: of the model.
        baseline: what the other model was told to have answered.
        significance: what the p-value must be below for the difference to be more than noise.

    Raises:
        DataError: if the baseline was asked about other images.
    """
    if answers.split_sha256 != baseline.artifact.test_sha256:
        raise DataError(
            f"the baseline in {baseline.directory} was scored on other test images "
            f"({baseline.artifact.metrics.count:,}; here there are {len(answers.labels):,})",
            expected="a baseline that was scored on the same images: the same data, split in the same way",
            remedy="name another evaluator.baseline, or take it away",
        )
    theirs = read_predictions(baseline)
    ours_right = _in_one_order(answers.images.tolist(), answers.labels, answers.predictions)
    theirs_right = _in_one_order(theirs["image"].tolist(), theirs["label"].to_numpy(), theirs["prediction"].to_numpy())
    only_ours, only_theirs = int((ours_right & ~theirs_right).sum()), int((theirs_right & ~ours_right).sum())
    return Baseline(
        weights_sha256=baseline.artifact.weights_sha256,
        metrics=baseline.artifact.metrics,
        only_model_right=only_ours,
        only_baseline_right=only_theirs,
        p_value=mcnemar(only_ours, only_theirs),
        significance=significance,
    )


def mcnemar(one: int, other: int) -> float:
    """Return the two-sided p-value of McNemar's exact test (Q. McNemar, Psychometrika 12, 1947).

    Were both models equally good, each image that only one of them answers rightly would be as probably
    the one's as the other's: the p-value is the binomial probability of a split at least as uneven.

    Args:
        one: images that only the one model answers rightly.
        other: images that only the other does.

    >>> mcnemar(2, 10), mcnemar(7, 7)
    (0.03857421875, 1.0)
    """
    discordant = one + other
    tail = term = 1
    for few in range(min(one, other)):
        term = term * (discordant - few) // (few + 1)  # one binomial coefficient from the one before
        tail += term
    return float(min(1.0, 2 * tail / 2**discordant))


def _in_one_order(images: list[bytes], labels: NDArray[np.int64], predictions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which answers are right, in the order of the images' digests: rows may lie in any order."""
    order = sorted(range(len(images)), key=lambda row: (images[row], int(labels[row])))
    right: NDArray[np.bool_] = (labels == predictions)[order]
    return right
