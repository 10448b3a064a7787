"""Training images: ten of each class, their mean and the most distant one; augmented images."""

from markupsafe import Markup

from components.base.formatting import counted
from components.html.inline_images import strip_attributes
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData
from components.visualizer.training_images import ClassImages, TrainingImages

MAX_BYTES = 1_000_000
"""Of the images before their compression; the page has a limit."""
MAX_UNFOLDED_CLASSES = 20


def render_training_images(report: ReportData) -> Markup:
    shown = _shown(report.training_images)
    return render_section(
        "training_images",
        summary=_summary(report, len(shown)),
        tables=[table for table in (shown[:MAX_UNFOLDED_CLASSES], shown[MAX_UNFOLDED_CLASSES:]) if table],
        augmented=report.augmented,
        strip=strip_attributes,
    )


def _shown(training: TrainingImages) -> tuple[ClassImages, ...]:
    """Return the first classes, as many as the page has space for."""
    pixels = training.classes[0].mean.size * (training.images_per_class + 2)
    return training.classes[: max(1, MAX_BYTES // pixels)]


def _summary(report: ReportData, shown: int) -> str:
    training, split = report.training_images, report.transformed.splits.train
    classes = len(report.examples.class_names)
    text = (
        f"{training.images_per_class} images of each class, evenly spaced over the training split, and the mean of all "
        "its images. The image that is most distant from the mean may be unusual, or have a wrong label."
    )
    if shown < classes:
        text += f" {shown} of {classes} classes are shown."
    if training.images_read < split.count:
        text += f" Only the first {training.images_read:,} of {counted(split.count, 'training image')} were read."
    return text
