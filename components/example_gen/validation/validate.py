"""Runs all checks of the examples, and reports, lists and states the anomalies."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.artifacts import Anomaly, Examples, Level, Stored
from components.base.component import Context
from components.base.errors import DataError
from components.example_gen.validation.config import ValidationConfig
from components.example_gen.validation.distribution_checks import check_class_imbalance, check_drift, measure_drift
from components.example_gen.validation.image_checks import ImageIndex, check_images
from components.io.splits import read_ids
from components.runtime.disk import disk_space_guard

ANOMALIES_FILE = "anomalies.csv"
COLUMNS = ["check", "level", "split", "row", "id", "group"]
MAX_REPORTED_IMAGES = 3
"""Images of an anomaly that a warning names."""


def validate_examples(
    examples: Examples, index: ImageIndex, config: ValidationConfig, context: Context, *, baseline: Examples | None
) -> Examples:
    """Run the checks, report anomalies, and return the examples of `context.output` with their anomalies and drift.

    Raises:
        DataError: if an anomaly has the level `error`, after all anomalies are reported.
    """
    found = [*check_images(index, config, examples.class_names)]
    images = {anomaly.check: frame for anomaly, frame in found}
    anomalies = [anomaly for anomaly, _ in found] + [*check_class_imbalance(examples, config.class_imbalance)]
    drift = None
    if baseline is not None and config.drift.level != "off":
        drift = measure_drift(examples, baseline, config.drift)
        anomalies += check_drift(examples, baseline, drift, config.drift)
    most_severe_first = get_args(Level)[::-1]
    anomalies.sort(key=lambda anomaly: most_severe_first.index(anomaly.level))
    for anomaly in anomalies:
        if anomaly.level != "note":
            shown = [*anomaly.examples[:MAX_REPORTED_IMAGES], *(["..."] * (anomaly.count > MAX_REPORTED_IMAGES))]
            context.progress.warning(f"{anomaly.message} ({', '.join(shown)})" if anomaly.examples else anomaly.message)
    if anomalies and anomalies[0].level == "error":
        raise _error(anomalies[0], examples, context)
    if images:
        write_anomalies(anomalies, images, examples, context.output)
    file = ANOMALIES_FILE if images else None
    return examples.model_copy(update={"anomalies": tuple(anomalies), "anomalies_file": file, "drift": drift})


def write_anomalies(
    anomalies: Iterable[Anomaly], images: Mapping[str, pd.DataFrame], examples: Examples, output: Path
) -> None:
    """Write the images of all anomalies, given by check, to `anomalies.csv`, in the order of the anomalies.

    Columns: `check`, `level`, `split`, `row` (in the split, from 0), `id` (as in its files), and
    `group`, the number of the group of equal images (the same for all checks; empty for an image without duplicate).
    """
    with (
        disk_space_guard(output, None, "the list of anomalies"),
        (output / ANOMALIES_FILE).open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(",".join(COLUMNS) + "\n")
        for anomaly in anomalies:
            if anomaly.check in images:
                frame = images[anomaly.check].assign(check=anomaly.check, level=anomaly.level)
                frame["id"] = pd.concat(
                    pd.Series(_read_ids(examples, split, rows.to_numpy(), output), rows.index)
                    for split, rows in frame.sort_values("row").groupby("split")["row"]
                )
                frame.to_csv(file, columns=COLUMNS, header=False, index=False, lineterminator="\n")


def _read_ids(examples: Examples, split: str, rows: NDArray[np.int64], output: Path) -> list[str]:
    return read_ids(Stored(examples, output), dict(examples.splits.items())[split], rows)


def _error(anomaly: Anomaly, examples: Examples, context: Context) -> DataError:
    setting, first, listed = f"example_gen.checks.{anomaly.check}.level", "", ""
    if anomaly.examples:
        setting = f"example_gen.checks.{anomaly.check}"
        split, row = anomaly.examples[0].split("/")
        (id_,) = _read_ids(examples, split, np.array([int(row)]), context.output)
        first = f"; the first is row {row} of {split}, which is {id_} in the source"
        listed = f" to list all images in {ANOMALIES_FILE}"
    return DataError(
        f"{examples.source.title}: {anomaly.message}{first}",
        expected=f"data without {anomaly.check.replace('_', ' ')}, because {setting} is `error`",
        remedy=f"correct the data, or set {setting} to `warning`{listed}",
    )
