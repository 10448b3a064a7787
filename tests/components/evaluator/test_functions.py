"""Custom metrics and slices: functions that the configuration of the Evaluator names."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from components import Context, Evaluator, Model, Stored, TransformedExamples
from components.base.errors import ConfigError
from components.base.progress import NoProgress
from components.evaluator.baseline import compare
from components.evaluator.config import MEASURED, EvaluatorConfig, Threshold
from components.evaluator.functions import MetricFunction, SliceFunction
from components.evaluator.image_properties import UNITS
from components.evaluator.metrics import apply_functions
from components.evaluator.slices import group_images, make_slices
from components.testing.contract import make_inputs
from job.config.config import load_config
from tests.components.evaluator.test_baseline import LABELS, predictions_with, stored
from tests.conftest import FAKES, Command, WriteConfig

Labels = NDArray[np.int64]
Floats = NDArray[np.float32]
MANY = np.arange(2000) % 5
UNSURE = np.random.default_rng(0).dirichlet(np.ones(5), size=2000).astype(np.float32)


def cost(labels: Labels, probabilities: Floats, missed: float = 5.0) -> Any:
    """Mean cost of a prediction.

    It is 1 for a mistake.
    """
    return (probabilities.argmax(axis=1) != labels) * np.where(labels == 0, missed, 1.0)


def mean_cost(labels: Labels, probabilities: Floats) -> float:
    return float(cost(labels, probabilities).mean())


def largest(labels: Labels, probabilities: Floats) -> float:  # noqa: ARG001
    return float(probabilities.max())


def class_count(labels: Labels, probabilities: Floats) -> float:  # noqa: ARG001
    return float(np.bincount(labels).min())


def not_a_number(labels: Labels, probabilities: Floats) -> float:  # noqa: ARG001
    return float("nan")


def matrix(labels: Labels, probabilities: Floats) -> Floats:  # noqa: ARG001
    return probabilities


def in_place(labels: Labels, probabilities: Floats) -> float:  # noqa: ARG001
    probabilities *= 0
    return 1.0


def ordered(labels: Labels, probabilities: Floats) -> float:  # noqa: ARG001
    return 1.0 if np.array_equal(labels, MANY) else float("nan")


def half(images: Floats, labels: Labels) -> NDArray[np.str_]:  # noqa: ARG001
    """The brighter half."""
    upper, lower = np.array_split(images.mean(axis=(2, 3)), 2, axis=1)
    return np.where(upper.mean(axis=1) > lower.mean(axis=1), "upper", "lower")


def is_zero(images: Floats, labels: Labels) -> Any:  # noqa: ARG001
    return labels == 0


def brightness(images: Floats, labels: Labels) -> NDArray[np.float32]:
    return np.where(labels == 2, np.inf, images.mean(axis=(1, 2, 3)))


def names(images: Floats, labels: Labels) -> list[str]:  # noqa: ARG001
    return ["" if label == 1 else f"class {label}" for label in labels]


def unknown(images: Floats, labels: Labels) -> list[float]:  # noqa: ARG001
    return [float("nan")] * len(labels)


def ragged(images: Floats, labels: Labels) -> list[list[int]]:  # noqa: ARG001
    return [[0], [1, 2]]


def one_each(images: Floats, labels: Labels) -> list[str]:  # noqa: ARG001
    return [str(row) for row in range(len(images))]


def short(images: Floats, labels: Labels) -> Any:  # noqa: ARG001
    return labels[:1]


class Texts(NoProgress):
    """Keeps messages and warnings."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def message(self, text: str) -> None:
        self.texts.append(text)

    warning = message


def measured(function: Any, labels: Labels = MANY, probabilities: Floats = UNSURE, **options: Any) -> dict[str, Any]:
    return apply_functions([MetricFunction(use=function, **options)], labels, probabilities, Context(output=Path()))


def test_an_evaluation_has_the_metrics_and_slices_of_functions(tmp_path: Path) -> None:
    made = make_inputs(tmp_path)
    (tmp_path / "out").mkdir()
    config = EvaluatorConfig(
        metrics=(MetricFunction(use=cost, missed=20.0), MetricFunction(use=largest, name="peak", resamples=0)),
        slices=(half, SliceFunction(use=brightness)),
        thresholds={"cost": Threshold(maximum=0.0), "peak": Threshold(minimum=0.1)},
        slice_thresholds={"half/upper": {"accuracy": Threshold(minimum=0.0)}},
    )
    evaluation = Evaluator(config).run(
        Context(output=tmp_path / "out"), transformed=made[TransformedExamples], model=made[Model]
    )
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["metrics"]["cost"] == evaluation.metrics.values()["cost"] == 1 - metrics["metrics"]["accuracy"] == 0
    assert metrics["metrics"]["cost_interval"]["method"] == "bootstrap"
    assert 0.3 < metrics["metrics"]["peak"] <= 1
    assert "peak_interval" not in metrics["metrics"]
    assert {check.name: check.passed for check in evaluation.blessing.checks} == {
        "cost": True,
        "peak": True,
        "accuracy of half/upper": True,
    }
    assert {found.dimension for found in evaluation.slices} == {"class", *UNITS, "half", "brightness"}
    assert metrics["definitions"][0] == {
        "name": "cost",
        "kind": "metric",
        "function": f"{__name__}:cost",
        "options": {"missed": 20.0},
        "description": "Mean cost of a prediction.",
    }
    assert type(evaluation).model_validate_json(evaluation.model_dump_json()) == evaluation


def test_the_interval_of_a_mean_equals_its_standard_error() -> None:
    found = measured(cost)
    right = UNSURE.argmax(axis=1) == MANY
    assert found["cost"] == pytest.approx(np.where(right, 0, np.where(MANY == 0, 5, 1)).mean())
    # Each class keeps its images: the variance is that within the classes.
    within = [(1 - right[label == MANY]) * (5 if label == 0 else 1) for label in range(5)]
    error = np.sqrt(sum(values.var() * len(values) for values in within)) / len(MANY)
    interval = found["cost_interval"]
    assert (interval.low, interval.high) == pytest.approx(found["cost"] + np.array([-1.96, 1.96]) * error, rel=0.02)
    assert interval.resamples == 1000


def test_one_number_and_numbers_per_image_have_equal_intervals() -> None:
    one, each = measured(mean_cost, resamples=50), measured(cost, resamples=50)
    assert one["mean_cost"] == each["cost"]
    assert one["mean_cost_interval"].low == pytest.approx(each["cost_interval"].low)
    assert one["mean_cost_interval"].high == pytest.approx(each["cost_interval"].high)


def test_each_class_keeps_its_images_in_every_resample() -> None:
    interval = measured(class_count)["class_count_interval"]
    assert interval.low == interval.high == 400


def test_an_interval_has_no_bias_and_no_impossible_values() -> None:
    found = measured(largest)  # smaller in most resamples than in the images
    assert found["largest_interval"].high == found["largest"]
    rare = measured(cost, probabilities=np.eye(5, dtype=np.float32)[np.where(np.arange(2000) == 7, 0, MANY)])
    assert rare["cost_interval"].low == 0, "the noise of the resamples is no bias"


def test_many_images_are_resampled_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.evaluator.intervals.MAX_RESAMPLED_IMAGES", 250 * len(MANY))
    assert measured(cost)["cost_interval"].resamples == 250
    monkeypatch.setattr("components.evaluator.intervals.MAX_RESAMPLED_IMAGES", 1)
    assert measured(cost)["cost_interval"].resamples == 100


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (not_a_number, "returned nan"),
        (matrix, r"shape \(2000, 5\)"),
        (in_place, "ValueError: output array is read-only"),
    ],
)
def test_a_metric_is_one_finite_number_or_one_per_image(function: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        measured(function)
    assert raised.value.expected == (
        "(labels, probabilities, **options) -> a number, or an array of one number per image"
    )


def test_a_metric_without_a_finite_interval_has_a_warning() -> None:
    progress = Texts()
    found = apply_functions([MetricFunction(use=ordered)], MANY, UNSURE, Context(output=Path(), progress=progress))
    assert found == {"ordered": 1.0}
    assert progress.texts == ["ordered has no interval: it is not finite for every resample"]


def test_a_long_interval_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.evaluator.metrics.LONG_SECONDS", 0.0)
    functions, progress = [MetricFunction(use=use, resamples=10) for use in (cost, mean_cost)], Texts()
    apply_functions(functions, MANY, UNSURE, Context(output=Path(), progress=progress))
    assert progress.texts == ["the interval of mean_cost takes about 0 s; set fewer `resamples`"]


def grouped(function: Any) -> dict[str, int]:
    """Return the number of images in each slice of a function, on images in batches; image 1 of 4 is all bright."""
    images, labels = np.zeros((9, 4, 4, 1), np.float32), np.arange(9) % 3
    images[::2, :2], images[:, 3] = 1, 0.5
    batches = [images[:4], images[4:8], images[8:]]
    groups = group_images([SliceFunction(use=function, name="group")], batches, labels)
    slices = make_slices(labels, labels, ("a", "b", "c"), groups)
    return {each.name: each.count for each in slices if each.dimension == "group"}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (half, {"lower": 4, "upper": 5}),
        (is_zero, {"no": 6, "yes": 3}),
        (names, {"class 0": 3, "class 2": 3}),
        (brightness, {"low": 3, "high": 3}),
        (unknown, {}),
    ],
)
def test_texts_name_slices_and_numbers_are_divided_into_fifths(function: Any, expected: dict[str, int]) -> None:
    assert grouped(function) == expected


@pytest.mark.parametrize(
    ("function", "message"), [(short, r"shape \(1,\)"), (one_each, "4 different texts"), (ragged, r"returned \[\[0\]")]
)
def test_a_slice_function_returns_a_few_texts_for_all_images(
    function: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.evaluator.slices.MAX_NAMES", 3)
    with pytest.raises(ConfigError, match=message):
        grouped(function)


def test_the_baseline_is_scored_by_the_same_functions(tmp_path: Path) -> None:
    baseline = stored(predictions_with(wrong=[0, 1, 2]), tmp_path)  # without the metric
    functions = [MetricFunction(use=cost)]
    compared = compare(predictions_with(wrong=[]), baseline, significance=0.05, functions=functions)
    assert compared.metrics.values()["cost"] == (5 + 1 + 1) / len(LABELS)
    same = Stored(baseline.artifact.model_copy(update={"metrics": compared.metrics}), baseline.directory)
    without = compare(predictions_with(wrong=[]), same, significance=0.05)
    assert without.metrics == baseline.artifact.metrics, "a metric that only the baseline has is not compared"


def test_measured_properties_have_names_in_the_configuration() -> None:
    assert tuple(UNITS) == MEASURED


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"thresholds": {"csot": {"minimum": 0}}}, "did you mean evaluator.thresholds.cost?"),
        ({"change_thresholds": {"costs": {"minimum": 0}}}, "did you mean evaluator.change_thresholds.cost?"),
        ({"slice_thresholds": {"half": {}}}, "did you mean evaluator.slice_thresholds.half/...?"),
        ({"slice_thresholds": {"ink/lest": {}}}, "did you mean evaluator.slice_thresholds.ink/least?"),
    ],
)
def test_unknown_names_in_thresholds_are_found_at_once(section: dict[str, Any], message: str, tmp_path: Path) -> None:
    functions = {"metrics": [{"use": f"{__name__}:cost"}], "slices": [{"use": f"{__name__}:half"}]}
    (tmp_path / "job.yaml").write_text(json.dumps({"evaluator": functions | section}))
    with pytest.raises(ConfigError, match="is not a key of the configuration") as raised:
        load_config(tmp_path / "job.yaml")
    assert raised.value.remedy == message


@pytest.mark.parametrize(
    ("functions", "name"),
    [
        ({"metrics": [cost, cost]}, "cost"),
        ({"metrics": [{"use": cost, "name": "accuracy"}]}, "accuracy"),
        ({"metrics": [cost, {"use": cost, "name": "cost_interval"}]}, "cost_interval"),
        ({"metrics": [{"use": cost, "name": "a cost"}]}, "a cost"),
        ({"slices": [{"use": half, "name": "ink"}]}, "ink"),
    ],
)
def test_names_of_functions_are_distinct_words(functions: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError, match=f"the name `{name}` of"):
        EvaluatorConfig(**functions)


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SQLAlchemy's, by MLflow
def test_custom_metrics_are_in_the_summary_trackers_and_cache(
    mnist_job: Command, write_config: WriteConfig, tmp_path: Path
) -> None:
    uri, root = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "root"
    section: dict[str, Any] = {
        "metrics": [{"use": f"{__name__}:cost", "missed": 3.0}],
        "slices": [{"use": f"{__name__}:half"}],
        "change_thresholds": {"cost": {"maximum": 0}},
        "baseline": "latest-blessed",
    }
    tracking = {"tensorboard": {}, "mlflow": {"uri": uri, "experiment": "costs"}}

    def run() -> tuple[str, dict[str, Any]]:
        config = write_config({**FAKES, "evaluator": section, "tracking": tracking})
        outcome = mnist_job("run", "--config", config, "--root", root)
        assert outcome.exit_code == 0, outcome.stderr
        return outcome.stdout, json.loads((root / "runs/latest/run.json").read_text())

    printed, record = run()
    interval = record["metrics"]["cost_interval"]
    assert f"cost          {record['metrics']['cost']:.4g}  (95 % interval {interval['low']:.4g} to " in printed
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    (tracked,) = client.search_runs([client.get_experiment_by_name("costs").experiment_id])
    assert tracked.data.metrics["test_cost"] == record["metrics"]["cost"]
    assert tracked.data.metrics["test_cost_interval.high"] == interval["high"]
    assert b"test/cost" in next(root.glob("tensorboard/*/test/events*")).read_bytes()

    _, record = run()
    assert {step["status"] for step in record["steps"]} == {"reused"}
    section["metrics"][0]["missed"] = 4.0
    _, record = run()
    assert {step["component"] for step in record["steps"] if step["status"] == "ran"} == {"evaluator", "visualizer"}
