"""The figures of a run as PNG files, drawn with matplotlib."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from components import artifacts
from components.artifacts import Examples, Model
from components.base.text import printable
from components.visualizer.figure_data import ConfusionMatrix
from components.visualizer.learning_curves import learning_curves
from components.visualizer.plots.mosaics import (
    draw_augmented_images,
    draw_feature_maps,
    draw_kernels,
    draw_mistakes,
    draw_training_images,
)
from components.visualizer.plots.style import BLUE, FAINT, GREEN, INK, ORANGE, new_figure, set_title
from components.visualizer.report_data import ReportData

MAX_LABEL_LENGTH = 24
"""Longer names of classes are cut."""


def draw_figures(report: ReportData) -> Iterator[tuple[artifacts.Figure, Figure]]:
    """Yield each figure and its drawing; those without data are left out, such as feature maps of a linear model."""

    def figure(name: str, title: str, alt: str) -> artifacts.Figure:
        return artifacts.Figure(name=name, file=f"{name}.png", title=title, alt=alt)

    alt = f"Loss and accuracy over {len(report.model.history)} epochs, training and validation."
    yield figure("curves", "Learning curves", alt), draw_learning_curves(report.model, report.steps)

    matrix = ConfusionMatrix.from_evaluation(report.evaluation)
    alt = f"True against predicted class on the test split; accuracy {report.evaluation.metrics.accuracy:.2%}."
    yield figure("confusion_matrix", "Confusion matrix", alt), draw_confusion_matrix(matrix)

    if (feature_maps := report.feature_maps) is not None:
        filters, class_name = feature_maps.convolutions[0].shape[-1], printable(feature_maps.images[0].class_name)
        alt = f"The output of the {filters} filters of the first convolution for an image of class {class_name}."
        yield figure("feature_maps", "First convolution: feature maps", alt), draw_feature_maps(feature_maps)

    if (kernels := report.kernels) is not None:
        alt = f"The kernels of the layer {printable(kernels.layer)} as small images, all on one scale."
        yield figure("kernels", "Kernels of the first layer", alt), draw_kernels(kernels)

    alt = "The number of images of each class in the training, validation and test split."
    yield figure("class_distribution", "Images of each class", alt), draw_class_distribution(report.examples)

    alt = "Ten training images of each class, their mean, and the image that is most distant from the mean."
    class_count = len(report.examples.class_names)
    drawing = draw_training_images(report.training_images, class_count=class_count)
    yield figure("training_images", "Training images", alt), drawing

    if report.augmented:
        alt = "Training images, each beside several random changes of it."
        yield figure("augmentation", "Augmentation", alt), draw_augmented_images(report.augmented)

    alt = "Misclassified test images with true and predicted class, the most confident first."
    yield figure("mistakes", "Most confident mistakes", alt), draw_mistakes(report.mistakes)


def draw_learning_curves(model: Model, steps: pd.DataFrame | None = None) -> Figure:
    """Return one panel per metric, with a line at the epoch whose weights the model has."""
    figure = new_figure(9, 4.2)
    panels = figure.subplots(1, 2)
    curves = learning_curves(model, steps)
    for panel, curve in zip(panels, curves, strict=True):
        training = tuple(zip(curve.x, curve.training, strict=True))
        for points, label, color, marker in (
            (training, "training", BLUE, "o"),
            (curve.validated, "validation", ORANGE, "s"),
        ):
            panel.plot(*zip(*points, strict=True), color=color, marker=marker, markersize=4, linewidth=1.8, label=label)
        panel.axvline(curve.best, color=FAINT, linewidth=1, linestyle="--", zorder=0)
        panel.set(title=curve.title, xlabel=curve.x_name)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.grid(axis="y", color="#EEEEEE")
    if panels[0].get_ylim()[0] > 0:
        panels[0].set_ylim(bottom=0)
    panels[1].yaxis.set_major_formatter(PercentFormatter(xmax=1))
    if len(model.history) > 1:
        panels[1].annotate(
            f"best epoch: {model.best_epoch}",
            (curves[1].best, panels[1].get_ylim()[0]),
            xytext=(-4, 4),
            textcoords="offset points",
            ha="right" if model.best_epoch > 1 else "left",
            fontsize=9,
            color=INK,
        )
    panels[0].legend(loc="upper right")
    note = f"validation accuracy {model.best.val_accuracy:.2%} at epoch {model.best_epoch}"
    set_title(figure, "Learning curves", note)
    return figure


def draw_confusion_matrix(matrix: ConfusionMatrix) -> Figure:
    """Return the matrix with mistakes in color; a colored diagonal would hide them, so it is gray."""
    classes = len(matrix.class_names)
    annotate = classes <= 25
    side = float(np.clip(0.62 * classes, 5, 13))
    figure = new_figure(side + 1.2, side + 0.9)
    axes = figure.subplots()
    diagonal = np.eye(classes, dtype=bool)
    most_mistakes = int(matrix.mistakes.max())
    sns.heatmap(
        matrix.mistakes,
        mask=diagonal,
        ax=axes,
        cmap="Oranges",
        xticklabels=False,  # seaborn would draw the figure to find labels that overlap
        yticklabels=False,
        vmin=0,
        vmax=max(1, most_mistakes),
        square=True,
        linewidths=0.5 if annotate else 0,
        linecolor="#F4F4F4",
        cbar_kws={"label": "images", "shrink": 0.7, "ticks": MaxNLocator(6, integer=True, min_n_ticks=1)},
    )
    if annotate:
        for (row, column), count in np.ndenumerate(matrix.counts):
            if count:
                dark = row != column and count > 0.6 * most_mistakes
                axes.text(
                    column + 0.5, row + 0.5, f"{count:,}", ha="center", va="center", fontsize=9,
                    color="white" if dark else "#333333",
                )  # fmt: skip
    axes.pcolormesh(np.where(diagonal, 1.0, np.nan), cmap="Greys", vmin=0, vmax=6, zorder=0)
    _label_classes(axes.set_xticks, matrix.class_names, offset=0.5, rotate=True)
    _label_classes(axes.set_yticks, matrix.class_names, offset=0.5)
    axes.set(xlabel="predicted", ylabel="true")
    wrong, total = int(matrix.mistakes.sum()), matrix.image_count
    set_title(figure, "Confusion matrix", f"{wrong:,} of {total:,} test images misclassified ({wrong / total:.2%})")
    return figure


def draw_class_distribution(examples: Examples) -> Figure:
    """Return one panel per split and one bar per class; each panel has its own scale."""
    classes, splits = len(examples.class_names), examples.splits.items()
    figure = new_figure(min(14.0, max(7.0, 0.35 * classes + 2)), 6)
    panels = figure.subplots(len(splits), 1, sharex=True)
    for panel, (name, split), color in zip(panels, splits, (BLUE, ORANGE, GREEN), strict=True):
        panel.bar(range(classes), split.label_counts, color=color, width=0.75)
        panel.set_title(f"{name}: {split.count:,} images", fontsize=10)
        panel.set_ylabel("images")
        panel.grid(axis="y", color="#EEEEEE")
        panel.set_axisbelow(True)
        panel.locator_params(axis="y", nbins=4)
    _label_classes(panels[-1].set_xticks, examples.class_names, max_labels=60, rotate=True)
    panels[-1].set_xlabel("class")
    set_title(figure, "Images of each class", printable(examples.source.title, limit=80))
    return figure


def _label_classes(
    set_ticks: Callable[..., object],
    names: Sequence[str],
    *,
    offset: float = 0,
    max_labels: int = 30,
    rotate: bool = False,
) -> None:
    """Call `set_xticks` or `set_yticks` to label every class, or every 2nd, 3rd, ... above `max_labels` classes.

    Class n is at n + `offset`. Names of more than three characters are rotated if `rotate` is set.
    """
    shown = range(0, len(names), max(1, -(-len(names) // max_labels)))
    labels = [printable(names[label], limit=MAX_LABEL_LENGTH) for label in shown]
    rotation = 90 if rotate and max(map(len, names)) > 3 else 0
    set_ticks([label + offset for label in shown], labels, rotation=rotation)
