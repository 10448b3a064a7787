"""Metrics compared with values computed by hand, and what the Evaluator writes."""

from pathlib import Path

import numpy as np
import pytest

from components import Context, Evaluator, Model, TransformedExamples
from components.base.errors import DataError
from components.evaluator.component import check_compatible
from components.evaluator.intervals import wilson_interval
from components.evaluator.metrics import score
from components.io.splits import read_predictions
from components.testing.contract import make_inputs

LABELS = np.array([0, 0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7]],
    dtype=np.float32,
)
NAMES = ("a", "b", "c")


def test_metrics_equal_the_values_by_hand() -> None:
    scores = score(LABELS, PROBABILITIES, NAMES)
    assert scores.confusion_matrix == ((2, 1, 0), (1, 1, 0), (0, 0, 1))
    assert scores.metrics.accuracy == pytest.approx(4 / 6)
    assert scores.metrics.loss == pytest.approx(-np.log([0.7, 0.6, 0.2, 0.8, 0.4, 0.7]).mean(), rel=1e-6)
    assert [row.precision for row in scores.per_class] == pytest.approx([2 / 3, 1 / 2, 1])
    assert [row.recall for row in scores.per_class] == pytest.approx([2 / 3, 1 / 2, 1])
    assert [row.f1 for row in scores.per_class] == pytest.approx([2 / 3, 1 / 2, 1])
    assert [row.support for row in scores.per_class] == [3, 2, 1]
    assert scores.metrics.macro_f1 == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_a_class_that_is_never_predicted_has_precision_zero() -> None:
    scores = score(np.array([0, 1]), np.array([[0.9, 0.1], [0.9, 0.1]], dtype=np.float32), ("a", "b"))
    assert scores.per_class[1].precision == 0
    assert scores.per_class[1].recall == 0


def test_certainty_in_the_wrong_class_gives_a_finite_loss() -> None:
    scores = score(np.array([0]), np.array([[0.0, 1.0]], dtype=np.float32), ("a", "b"))
    assert scores.metrics.loss == pytest.approx(-np.log(1e-7))


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_interval_equals_published_values(successes: int, trials: int, low: float, high: float) -> None:
    # 81 of 263: R. G. Newcombe, Statistics in Medicine 17, 1998, table I, method 3; the others in closed form.
    interval = wilson_interval(successes, trials)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_writes_a_prediction_for_every_test_image(tmp_path: Path) -> None:
    made = make_inputs(tmp_path)
    output = tmp_path / "out"
    output.mkdir()
    evaluation = Evaluator().run(Context(output=output), transformed=made[TransformedExamples], model=made[Model])
    from components import Stored

    predictions = read_predictions(Stored(evaluation, output))
    assert len(predictions) == evaluation.metrics.count == made[TransformedExamples].artifact.splits.test.count
    right = (predictions["label"] == predictions["prediction"]).mean()
    assert right == evaluation.metrics.accuracy
    assert right > 0.9, "the nearest mean separates squares in noise"


def test_refuses_a_model_for_other_images_or_classes(tmp_path: Path) -> None:
    made = make_inputs(tmp_path)
    model: Model = made[Model].artifact
    with pytest.raises(DataError, match="made for classes"):
        check_compatible(made[TransformedExamples].artifact, model.model_copy(update={"class_names": ("x", "y", "z")}))
    with pytest.raises(DataError, match="made for images"):
        check_compatible(made[TransformedExamples].artifact, model.model_copy(update={"image_shape": (8, 8, 1)}))
