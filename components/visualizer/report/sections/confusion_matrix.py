"""The confusion matrix and the metrics of each class."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from components.artifacts import Evaluation
from components.visualizer.figure_data import ConfusionMatrix
from components.visualizer.format import TextTable, counted, percent
from components.visualizer.report.inline_images import heat_map
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData

MAX_TABLE_CLASSES = 26
"""Above this number of classes, the matrix is an image instead of a table."""
MAX_NAME_LENGTH = 14
MAX_PAIRS = 8


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix."""

    count: int
    correct: bool
    text: str
    weight: float
    """The intensity of its colour: 1 for the most common confusion."""


def render_confusion_matrix(report: ReportData) -> Markup:
    """Return the section."""
    matrix = ConfusionMatrix.from_evaluation(report.evaluation)
    names = matrix.class_names
    is_table = len(names) <= MAX_TABLE_CLASSES
    pairs = [(pair.true, pair.predicted, f"{pair.count:,}") for pair in matrix.most_common(MAX_PAIRS)]
    return render_section(
        "confusion_matrix",
        summary=confusion_text(report.evaluation),
        names=names,
        name_length=min(MAX_NAME_LENGTH, max(map(len, names))),
        rows=_cells(matrix) if is_table else (),
        picture="" if is_table else heat_map(matrix.mistakes),
        pairs=TextTable(("True class", "Predicted class", "Images"), tuple(pairs)),
        per_class=per_class_table(report.evaluation),
    )


def confusion_text(evaluation: Evaluation) -> str:
    """Return the number of mistakes, the most common confusion, and the class with the lowest recall."""
    matrix, images = ConfusionMatrix.from_evaluation(evaluation), counted(evaluation.metrics.count, "test image")
    pairs = matrix.most_common(1)
    if not pairs:
        return f"The model classifies all {images} correctly."
    times = f", {pairs[0].count:,} times" if pairs[0].count > 1 else ""
    weakest = min((row for row in evaluation.per_class if row.support), key=lambda row: row.recall)
    return (
        f"The model makes {counted(int(matrix.mistakes.sum()), 'mistake')} in {images}. The most common one is "
        f"{pairs[0].true} predicted as {pairs[0].predicted}{times}. The class with the lowest recall is "
        f"{weakest.name}, with {percent(weakest.recall)}."
    )


def per_class_table(evaluation: Evaluation) -> TextTable:
    """Return the metrics of each class."""
    return TextTable(
        ("Class", "Precision", "Recall", "F1", "Test images"),
        tuple(
            (row.name, percent(row.precision), percent(row.recall), percent(row.f1), f"{row.support:,}")
            for row in evaluation.per_class
        ),
    )


def _cells(matrix: ConfusionMatrix) -> list[list[Cell]]:
    most = max(1, int(matrix.mistakes.max()))

    def cell(true: int, predicted: int, count: int) -> Cell:
        text = f"{count:,}" if count >= 10_000 else str(count)  # cells are narrow
        return Cell(count, true == predicted, text, round(count / most, 3))

    return [
        [cell(true, predicted, int(count)) for predicted, count in enumerate(row)]
        for true, row in enumerate(matrix.counts)
    ]
