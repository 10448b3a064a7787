"""The optional statements of an evaluation and of examples, with invented but plausible values."""

from typing import Any, TypeVar

from components.artifacts import (
    SEVERITIES,
    Anomaly,
    Baseline,
    Blessing,
    Calibration,
    Check,
    CorruptionCurve,
    Drift,
    DriftMeasure,
    Evaluation,
    Examples,
    InfraValidation,
    QuantizedExport,
    ReliabilityBin,
    Robustness,
    Slice,
    Statement,
)
from components.evaluator.intervals import wilson_interval

StatementT = TypeVar("StatementT", bound=Statement)
CORRUPTIONS = {
    "shift": ("pixels", (1, 2, 3, 4, 5), (0.99, 0.96, 0.86, 0.7, 0.52)),
    "rotation": ("degrees", (10, 20, 30, 40, 50), (0.985, 0.96, 0.9, 0.77, 0.6)),
    "scale": ("", (0.9, 0.8, 0.7, 0.6, 0.5), (0.99, 0.985, 0.97, 0.93, 0.8)),
    "noise": ("", (0.1, 0.2, 0.3, 0.4, 0.5), (0.99, 0.98, 0.94, 0.85, 0.68)),
    "blur": ("pixels", (0.5, 1, 1.5, 2, 2.5), (0.99, 0.985, 0.97, 0.93, 0.84)),
    "contrast": ("", (0.8, 0.6, 0.4, 0.3, 0.2), (0.991, 0.99, 0.985, 0.97, 0.9)),
    "occlusion": ("pixels", (4, 6, 8, 10, 12), (0.98, 0.95, 0.89, 0.8, 0.66)),
}


def with_all_parts(evaluation: Evaluation, *, blessed: bool = True) -> Evaluation:
    """Return an evaluation with every optional part; if it is not blessed, one check failed."""
    metrics = evaluation.metrics
    checks = (
        Check(
            metric="accuracy",
            minimum=round(metrics.accuracy + (-0.004 if blessed else 0.002), 3),
            value=metrics.accuracy,
            passed=blessed,
        ),
        Check(metric="recall", of="class/1", minimum=0.4, value=0.9, passed=True),
        Check(metric="accuracy", of="ink/least", minimum=0.5, value=0.96, passed=True),
        Check(kind="change", metric="accuracy", minimum=0.0, value=-0.0008, p_value=0.341, passed=True),
        Check(kind="infra", metric="difference of the SavedModel", maximum=1e-5, value=2.4e-7, passed=True),
    )
    return changed(
        evaluation,
        calibration=calibration(metrics.count),
        slices=slices(evaluation),
        robustness=robustness(metrics.accuracy),
        infra_validation=InfraValidation(images=64, largest_difference=2.4e-7, tolerance=1e-5, size=812_345),
        quantized=QuantizedExport(file="model_int8.tflite", accuracy=0.9712, same_class=0.9987),
        baseline=Baseline(
            weights_sha256="0" * 64,
            metrics=changed(
                metrics,
                accuracy=metrics.accuracy + 0.0008,
                accuracy_interval=wilson_interval(round((metrics.accuracy + 0.0008) * metrics.count), metrics.count),
                loss=metrics.loss * 1.1,
            ),
            only_model_right=23,
            only_baseline_right=31,
            p_value=0.341,
            significance=0.05,
        ),
        blessing=Blessing(verdict="BLESSED" if blessed else "NOT_BLESSED", checks=checks),
    )


def with_anomalies(examples: Examples) -> Examples:
    """Return examples with anomalies of every level, and with drift."""
    anomalies = (
        Anomaly(
            check="duplicates_across_splits",
            level="error",
            message="12 images stand in more than one split",
            count=12,
            examples=tuple(f"test/{row}" for row in range(8)),
        ),
        Anomaly(check="class_imbalance", level="warning", message="class 5 has 8.9 % of the images", count=1),
        Anomaly(check="constant", level="note", message="1 image is empty", count=1, examples=("train/77",)),
    )
    measures = tuple(
        DriftMeasure(of=of, split="train", distance=distance, method=method, limit=0.1)
        for of, distance, method in (
            ("labels", 0.0123, "largest difference"),
            ("ink", 0.212, "Jensen-Shannon"),
            ("pixels", 0.0456, "Jensen-Shannon"),
        )
    )
    return changed(examples, anomalies=anomalies, drift=Drift(content_sha256="0" * 64, measures=measures))


def calibration(count: int) -> Calibration:
    """Return a reliability table of fifteen bins; most predictions are in the last one."""
    bins = []
    for number in range(15):
        low, high = number / 15, (number + 1) / 15
        images = 0 if number < 4 else max(1, round(count * 0.45 ** (15 - number)))
        middle = (low + high) / 2
        bins.append(
            ReliabilityBin(
                low=low,
                high=high,
                count=images,
                confidence=middle if images else None,
                accuracy=min(1.0, middle**1.15) if images else None,
            )
        )
    return Calibration(
        reliability=tuple(bins),
        temperature=1.213,
        applied=False,
        unscaled_loss=0.0311,
        scaled_loss=0.0287,
        unscaled_error=0.0071,
        scaled_error=0.0034,
    )


def slices(evaluation: Evaluation) -> tuple[Slice, ...]:
    """Return one slice per class, and four per property."""
    made = []
    for label, row in enumerate(evaluation.per_class):
        correct = evaluation.confusion_matrix[label][label]
        made.append(slice_of("class", row.name, row.support, correct))
    for dimension, unit in (("ink", "%"), ("thickness", "pixels"), ("size", "pixels")):
        for number, name in enumerate(("least", "little", "much", "most")):
            count = max(4, evaluation.metrics.count // 4)
            found = slice_of(dimension, name, count, count - number)
            made.append(changed(found, low=2.0 + number, high=3.0 + number, unit=unit))
    return tuple(made)


def slice_of(dimension: str, name: str, count: int, correct: int) -> Slice:
    return Slice(
        dimension=dimension,
        name=name,
        count=count,
        correct=correct,
        accuracy=correct / count,
        accuracy_interval=wilson_interval(correct, count),
    )


def robustness(accuracy: float) -> Robustness:
    curves = tuple(
        CorruptionCurve(corruption=name, unit=unit, amounts=amounts, accuracies=accuracies)
        for name, (unit, amounts, accuracies) in CORRUPTIONS.items()
    )
    mean = sum(sum(curve.accuracies) for curve in curves) / len(curves) / len(SEVERITIES)
    return Robustness(images=1000, seed=0, clean_accuracy=accuracy, mean_accuracy=mean, curves=curves)


def changed(statement: StatementT, **changes: Any) -> StatementT:
    """Return a copy with other values, validated."""
    return type(statement).model_validate({**dict(statement), **changes})
