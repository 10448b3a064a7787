"""Runs all checks of the examples, and reports, lists and states the anomalies."""

from typing import get_args

from components.artifacts import Examples, Level
from components.base.component import Context
from components.base.errors import DataError
from components.example_gen.validation.anomalies import ANOMALIES_FILE, Detection, read_id, write_anomalies
from components.example_gen.validation.config import ValidationConfig
from components.example_gen.validation.distribution_checks import check_class_imbalance, check_drift, measure_drift
from components.example_gen.validation.image_checks import ImageIndex, check_images

MAX_REPORTED_IMAGES = 3
"""Images of an anomaly that a warning names."""


def validate_examples(
    examples: Examples, index: ImageIndex, config: ValidationConfig, context: Context, *, baseline: Examples | None
) -> Examples:
    """Run the checks, report anomalies, and return the examples of `context.output` with their anomalies and drift.

    Raises:
        DataError: if an anomaly has the level `error`, after all anomalies are reported.
    """
    detections = [*check_images(index, config, examples.class_names)]
    detections += check_class_imbalance(examples, config.class_imbalance)
    drift = None
    if baseline is not None and config.drift.level != "off":
        drift = measure_drift(examples, baseline, config.drift)
        detections += check_drift(examples, baseline, drift, config.drift)
    most_severe_first = get_args(Level)[::-1]
    detections.sort(key=lambda detection: most_severe_first.index(detection.anomaly.level))
    anomalies = tuple(detection.anomaly for detection in detections)
    for anomaly in anomalies:
        if anomaly.level != "note":
            shown = [*anomaly.examples[:MAX_REPORTED_IMAGES], *(["..."] * (anomaly.count > MAX_REPORTED_IMAGES))]
            context.progress.warning(f"{anomaly.message} ({', '.join(shown)})" if anomaly.examples else anomaly.message)
    if anomalies and anomalies[0].level == "error":
        raise _error(detections[0], examples, context)
    anomalies_file = None
    if any(anomaly.examples for anomaly in anomalies):
        anomalies_file = ANOMALIES_FILE
        write_anomalies(detections, examples, context.output)
    return examples.model_copy(update={"anomalies": anomalies, "anomalies_file": anomalies_file, "drift": drift})


def _error(detection: Detection, examples: Examples, context: Context) -> DataError:
    anomaly, setting = detection.anomaly, f"example_gen.checks.{detection.setting}"
    first, listed = "", ""
    if anomaly.examples:
        split, row = anomaly.examples[0].split("/")
        id_ = read_id(anomaly.examples[0], examples, context.output)
        first = f"; the first is row {row} of {split}, which is {id_} in the source"
        listed = f" to list all images in {ANOMALIES_FILE}"
    return DataError(
        f"{examples.source.title}: {anomaly.message}{first}",
        expected=f"data without {anomaly.check.replace('_', ' ')}, because {setting} is `error`",
        remedy=f"correct the data, or set {setting} to `warning`{listed}",
    )
