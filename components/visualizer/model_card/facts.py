"""The facts of the model card that the report does not show: the files of the model, and its limits."""

from typing import Literal

from components.artifacts import SEVERITIES, Calibration, Evaluation, Examples, ExportFormat, Model, Robustness
from components.base.markdown import Markdown, code
from components.visualizer.format import TextTable, counted, interval_limits, listed, percent, plain_number
from components.visualizer.report.sections.slices_and_robustness import corruptions_hardest_first, slices_worst_first
from components.visualizer.report_data import Statements

RUNTIMES: dict[ExportFormat, str] = {
    "keras": "Keras",
    "saved_model": "TensorFlow, TensorFlow Serving",
    "litert": "LiteRT",
    "onnx": "ONNX Runtime",
}
MIDDLE_GREY = 127.5
MAX_NAMED = 3
"""How many of the worst slices, classes and corruptions are named; the tables of the card list all."""


def tone(examples: Examples) -> str:
    """Return whether the training images are dark or bright on average."""
    dark = examples.splits.train.pixel_mean < MIDDLE_GREY
    return "bright strokes on a dark background" if dark else "dark strokes on a bright background"


def files_table(model: Model) -> TextTable:
    """Return one row a file, relative to the directory of the Model artifact."""
    height, width, channels = model.image_shape
    raw_images = Markdown(f"`images`: raw images, `uint8 [batch, {height}, {width}]`, 0 to 255")
    probabilities = f"`float32 [batch, {len(model.class_names)}]`"
    rows = []
    for export in model.exports:
        label = "" if export.format == "keras" else "; `label`, `int64 [batch]`"
        difference = plain_number(export.largest_difference, ".2g")
        tolerance = plain_number(export.tolerance, "g")
        rows.append(
            (
                code(f"{export.file}/" if export.format == "saved_model" else export.file),
                RUNTIMES[export.format],
                raw_images,
                Markdown(f"`probabilities`, {probabilities}{label}"),
                f"{difference} (at most {tolerance}), {counted(export.images, 'image')}",
            )
        )
    if model.file not in {export.file for export in model.exports}:
        scaled_images = Markdown(f"scaled images, `float32 [batch, {height}, {width}, {channels}]`, 0 to 1")
        outputs = {
            "keras": Markdown(f"the probability of each class, {probabilities}"),
            "linear": Markdown("none: the file holds `weights` and `bias`"),
        }
        rows.append((code(model.file), "", scaled_images, outputs[model.format], ""))
    return TextTable(("File", "Runtime", "Inputs", "Outputs", "Difference"), tuple(rows))


def trained_on_test_images(statements: Statements) -> bool:
    """Return whether the training split and the test split have identical images."""
    overlaps = statements.transformed.overlaps
    return any(overlap.images and {*overlap.splits} == {"train", "test"} for overlap in overlaps)


def worst_slices(evaluation: Evaluation) -> str:
    """Return the slices with the lowest accuracy; empty if all are as good as the whole test split."""
    worst = [each for each in slices_worst_first(evaluation) if each.accuracy < evaluation.metrics.accuracy]
    return listed(
        [
            f"{each.key} ({percent(each.accuracy)} accuracy on {counted(each.count, 'image')}, "
            f"{percent(each.accuracy_interval.confidence, 0)} interval {interval_limits(each.accuracy_interval)})"
            for each in worst[:MAX_NAMED]
        ]
    )


def worst_classes(evaluation: Evaluation, metric: Literal["precision", "recall"]) -> str:
    """Return the classes with the lowest precision or recall; empty if it is 1 for all."""
    values = sorted((getattr(row, metric), row.label, row.name) for row in evaluation.per_class if row.support)
    return listed([f"{name} ({percent(value)})" for value, _, name in values if value < 1][:MAX_NAMED])


def hardest_corruptions(robustness: Robustness) -> str:
    """Return the corruptions that reduce the accuracy most."""
    return listed(
        [
            f"{curve.corruption} ({percent(curve.accuracies[-1], 1)} at severity {SEVERITIES[-1]}, "
            f"{curve.amounts[-1]:g}{f' {curve.unit}' if curve.unit else ''})"
            for curve in corruptions_hardest_first(robustness)[:MAX_NAMED]
        ]
    )


def mean_confidence(calibration: Calibration) -> float:
    """Return the mean confidence on the test images."""
    bins = [(each.count, each.confidence) for each in calibration.reliability if each.confidence is not None]
    return sum(count * confidence for count, confidence in bins) / sum(count for count, _ in bins)


def drifted(statements: Statements) -> str:
    """Return the distributions that drifted from the baseline's; empty without drift or without a baseline."""
    drift = statements.examples.drift
    measures = drift.measures if drift else ()
    return listed([f"{measure.of} ({measure.split})" for measure in measures if measure.drifted])


def not_evaluated(statements: Statements) -> str:
    """Return the optional measurements that the run did not make."""
    evaluation = statements.evaluation
    measurements = {
        "slices of the test images": evaluation.slices,
        "corrupted images": evaluation.robustness,
        "calibration beyond its error": evaluation.calibration,
        "a baseline": evaluation.baseline,
        "the served model": evaluation.infra_validation,
        "drift of the data": statements.examples.drift,
    }
    return listed([name for name, measured in measurements.items() if not measured])
