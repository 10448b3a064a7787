"""The mistakes: the confusion matrix, the metrics of each class, and the images of the most confident mistakes."""

from markupsafe import Markup

from components.artifacts import Evaluation
from components.base.formatting import counted
from components.html.format import TextTable, percent
from components.html.inline_images import heat_map, image_attributes
from components.visualizer.figure_data import ConfusionMatrix
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData

MAX_TABLE_CLASSES = 26
"""Above this number of classes, the matrix is an image instead of a table."""
MAX_NAME_LENGTH = 14


def render_confusion_matrix(report: ReportData) -> Markup:
    matrix = ConfusionMatrix.from_evaluation(report.evaluation)
    names = matrix.class_names
    is_table = len(names) <= MAX_TABLE_CLASSES
    pairs = tuple((true, predicted, f"{count:,}") for true, predicted, count in matrix.most_common(8))
    return render_section(
        "confusion_matrix",
        summary=confusion_text(report.evaluation),
        names=names,
        name_length=min(MAX_NAME_LENGTH, max(map(len, names))),
        rows=matrix.counts.tolist() if is_table else (),
        most=max(1, int(matrix.mistakes.max())),
        picture="" if is_table else heat_map(matrix.mistakes),
        pairs=TextTable(("True class", "Predicted class", "Images"), pairs),
        per_class=per_class_table(report.evaluation),
    )


def render_mistakes(report: ReportData) -> Markup:
    return render_section("mistakes", mistakes=report.mistakes, picture=image_attributes)


def confusion_text(evaluation: Evaluation) -> str:
    """Return the number of mistakes, the most common confusion, and the class with the lowest recall."""
    matrix, images = ConfusionMatrix.from_evaluation(evaluation), counted(evaluation.metrics.count, "test image")
    pairs = matrix.most_common(1)
    if not pairs:
        return f"The model classifies all {images} correctly."
    true, predicted, count = pairs[0]
    weakest = min((row for row in evaluation.per_class if row.support), key=lambda row: row.recall)
    return (
        f"The model makes {counted(int(matrix.mistakes.sum()), 'mistake')} in {images}. The most common one is "
        f"{true} predicted as {predicted}{f', {count:,} times' if count > 1 else ''}. The class with the lowest "
        f"recall is {weakest.name}, with {percent(weakest.recall)}."
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
