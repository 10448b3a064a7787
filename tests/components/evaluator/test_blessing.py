"""Blessing: thresholds of a model's metrics, and of changes from a baseline."""

from typing import Any

import numpy as np
import pytest

from components.artifacts import Baseline, Check, InfraValidation, Slice
from components.base.errors import ConfigError
from components.evaluator.blessing import bless, check_changes, check_classes, check_infra, check_metrics, check_slices
from components.evaluator.config import Threshold
from components.evaluator.intervals import wilson_interval
from components.evaluator.metrics import Scores, score

NAMES = ("a", "b", "c")


def scores_of(right: int, wrong: int = 0) -> Scores:
    """Return the scores of right and wrong predictions; the labels are a, b, c in turn."""
    labels = np.arange(right + wrong) % 3
    predicted = np.where(np.arange(right + wrong) < right, labels, (labels + 1) % 3)
    return score(labels, np.eye(3, dtype=np.float32)[predicted], NAMES)


def baseline_of(right: int, wrong: int, *, p_value: float) -> Baseline:
    return Baseline(
        weights_sha256="0" * 64,
        metrics=scores_of(right, wrong).metrics,
        only_model_right=0,
        only_baseline_right=0,
        p_value=p_value,
        significance=0.05,
    )


def test_one_unmet_threshold_prevents_a_blessing() -> None:
    metrics = scores_of(8, 2).metrics
    met = bless(*check_metrics(metrics, {"accuracy": Threshold(minimum=0.6)}))
    assert met.verdict == "BLESSED"
    unmet = bless(*check_metrics(metrics, {"accuracy": Threshold(minimum=0.6), "loss": Threshold(maximum=0.1)}))
    assert unmet.verdict == "NOT_BLESSED"
    assert [(check.metric, check.passed) for check in unmet.checks] == [("accuracy", True), ("loss", False)]


def test_bounds_are_inclusive() -> None:
    metrics = scores_of(8, 2).metrics
    assert all(check.passed for check in check_metrics(metrics, {"accuracy": Threshold(minimum=metrics.accuracy)}))


def test_a_blessing_without_a_baseline_is_rubber_stamped() -> None:
    assert bless().rubber_stamped
    change = Check(kind="change", metric="accuracy", minimum=0.0, value=0.1, passed=True)
    assert not bless(change).rubber_stamped
    failed = Check(metric="accuracy", minimum=1.0, value=0.5, passed=False)
    assert not bless(failed).rubber_stamped, "only a blessed model is rubber-stamped"


def test_single_classes_and_every_class_can_have_thresholds() -> None:
    per_class = scores_of(8, 1).per_class  # the ninth, a `c`, is predicted as `a`
    checks = [*check_classes(per_class, {"c": {"recall": Threshold(minimum=0.9)}})]
    assert [(check.name, check.passed) for check in checks] == [("recall of class/c", False)]
    assert checks[0].value == pytest.approx(2 / 3)
    every = [*check_classes(per_class, {"every": {"precision": Threshold(minimum=0.7)}})]
    assert [check.of for check in every] == ["class/a", "class/b", "class/c"]
    assert [check.passed for check in every] == [True, True, True]


def test_a_slice_can_have_thresholds() -> None:
    thin = Slice(
        dimension="thickness", name="least", count=10, correct=7, accuracy=0.7, accuracy_interval=wilson_interval(7, 10)
    )
    (check,) = check_slices((thin,), {"thickness/least": {"accuracy": Threshold(minimum=0.8)}})
    assert (check.name, check.value, check.passed) == ("accuracy of thickness/least", 0.7, False)


@pytest.mark.parametrize("check", [check_classes, check_slices])
def test_the_error_for_an_unknown_class_or_slice_lists_the_names(check: Any) -> None:
    with pytest.raises(ConfigError, match="`z`, which the test split does not have") as raised:
        list(check((), {"z": {"accuracy": Threshold(minimum=0.8)}}))
    assert "every" in raised.value.expected


@pytest.mark.parametrize(
    ("right", "minimum", "p_value", "passed"),
    [
        (90, 0.0, 0.2, True),  # worse, but not significant
        (90, 0.0, 0.01, False),  # worse, and significant
        (100, 0.0, 0.01, True),  # better
        (100, 0.05, 0.01, True),  # better by the minimum, and significant
        (100, 0.05, 0.2, False),  # better, but not significant
        (96, 0.05, 0.01, False),  # better, by less than the minimum
    ],
)
def test_an_insignificant_change_neither_fails_nor_improves(
    right: int, minimum: float, p_value: float, passed: bool
) -> None:
    baseline = baseline_of(95, 5, p_value=p_value)
    (check,) = check_changes(scores_of(right, 100 - right).metrics, baseline, {"accuracy": Threshold(minimum=minimum)})
    assert check.value == pytest.approx((right - 95) / 100)
    assert (check.kind, check.name, check.p_value, check.passed) == ("change", "change of accuracy", p_value, passed)


def test_changes_of_other_metrics_ignore_the_paired_test() -> None:
    baseline = baseline_of(95, 5, p_value=0.9)
    (check,) = check_changes(scores_of(90, 10).metrics, baseline, {"macro_f1": Threshold(minimum=-0.01)})
    assert not check.passed
    assert check.p_value is None


def test_the_saved_model_must_work_and_agree_with_the_model() -> None:
    same = InfraValidation(images=10, largest_difference=1e-7, tolerance=1e-5, size=1)
    assert check_infra(same).passed
    assert not check_infra(same.model_copy(update={"largest_difference": 1e-4})).passed
    failed = check_infra(same.model_copy(update={"largest_difference": None, "failure": "no such file"}))
    assert (failed.value, failed.passed) == (None, False)
