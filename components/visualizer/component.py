"""Visualizer: figures as PNG files, the report, and the model card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from components.artifacts import Evaluation, Examples, Figure, Figures, Model, Stored, TransformedExamples
from components.base.component import Component, ComponentConfig, Context
from components.base.errors import ConfigError
from components.runtime.disk import disk_space_guard

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure as MatplotlibFigure

    from components.io.splits import ImageSplit
    from components.visualizer.figure_data import TestImage
    from components.visualizer.report_data import ReportData

MAX_FIGURE_BYTES = 150_000
"""The largest figure of MNIST has 121 kB."""
REPORT_FILE, MAX_REPORT_BYTES = "report.html", 3_000_000
CARD_FILE, MAX_CARD_BYTES = "model_card.md", 1_000_000
"""The card of MNIST has 12 kB."""
DEFAULT_EXAMPLE_CLASSES = 10
"""Without configured examples, feature maps are shown for one image of each of the first ten classes."""
Row = Annotated[int, Field(strict=True, ge=0)]


class VisualizerConfig(ComponentConfig):
    """What the Visualizer draws."""

    examples: Annotated[tuple[Row, ...], Field(max_length=20)] = ()
    """Rows of the test images whose feature maps are shown; the first one is also a PNG file. By default, the
    first image of each of the first ten classes."""


class Visualizer(Component[VisualizerConfig]):
    """Draws the figures of a run, and writes its report and its model card.

    The figures are learning curves, confusion matrix, feature maps, class distribution and the most confident mistakes.
    """

    Config = VisualizerConfig
    libraries = (
        *("jinja2", "keras", "markdown-it-py", "matplotlib", "numpy", "pandas", "pillow", "pyarrow", "seaborn"),
        "tensorflow",
    )

    def run(
        self,
        context: Context,
        /,
        *,
        examples: Stored[Examples],
        transformed: Stored[TransformedExamples],
        model: Stored[Model],
        evaluation: Stored[Evaluation],
    ) -> Figures:
        """Write one PNG file a figure, `report.html` and `model_card.md`.

        A model without convolutions has no feature maps.

        Raises:
            ConfigError: if one of `examples` is not a row of the test split.
        """
        with context.timed("imports"):
            from components.inference.predictor import import_libraries, load_network
            from components.io.splits import read_predictions, read_scaled
            from components.visualizer.figure_data import ConfidentMistakes, FeatureMaps
            from components.visualizer.model_card import render_card
            from components.visualizer.plots.style import save, style
            from components.visualizer.report import render_report
            from components.visualizer.report_data import ReportData
            from components.visualizer.sketchpad import render_sketchpad

            import_libraries(model)

        with context.timed("reading"):
            test = read_scaled(transformed, transformed.artifact.splits.test)
            predictions = read_predictions(evaluation)
            class_names = examples.artifact.class_names
            images = self._example_images(test, class_names)
        with context.timed("inference"):
            network = load_network(model) if model.artifact.format == "keras" else None
            report = ReportData(
                examples=examples.artifact,
                transformed=transformed.artifact,
                model=model.artifact,
                evaluation=evaluation.artifact,
                mistakes=ConfidentMistakes.from_predictions(test, predictions, class_names),
                feature_maps=None if network is None else FeatureMaps.compute(network, images),
                sketchpad=render_sketchpad(model, network, test.images),
            )
        if report.feature_maps is None:
            context.progress.message("no figure of feature maps: the model has no convolution")
        figures = []
        with context.timed("drawing"), style():
            for figure, drawing in draw_figures(report):
                context.termination.check()
                with disk_space_guard(context.output, MAX_FIGURE_BYTES, f"the figure {figure.file}"):
                    save(drawing, context.output / figure.file)
                figures.append(figure)
        context.termination.check()
        with context.timed("report"):
            card = render_card(report)
            with disk_space_guard(context.output, MAX_CARD_BYTES, "the model card"):
                (context.output / CARD_FILE).write_text(card, encoding="utf-8")
            page = render_report(report, card)
            with disk_space_guard(context.output, MAX_REPORT_BYTES, "the report"):
                (context.output / REPORT_FILE).write_text(page, encoding="utf-8")
        return Figures(figures=tuple(figures), report_file=REPORT_FILE, model_card_file=CARD_FILE)

    def _example_images(self, test: ImageSplit[np.float32], class_names: tuple[str, ...]) -> tuple[TestImage, ...]:
        """Return the images whose feature maps are shown."""
        import numpy as np

        from components.visualizer.figure_data import TestImage

        rows = self.config.examples
        if not rows:
            _, first_of_each_class = np.unique(test.labels, return_index=True)
            rows = tuple(int(row) for row in first_of_each_class[:DEFAULT_EXAMPLE_CLASSES])
        for row in rows:
            if row >= len(test):
                raise ConfigError(
                    f"visualizer.examples has {row}, but the test split has {len(test)} images",
                    expected=f"rows from 0 to {len(test) - 1}",
                    remedy="choose other rows",
                )
        return tuple(TestImage(row, class_names[test.labels[row]], test.images[row]) for row in rows)


def draw_figures(report: ReportData) -> Iterator[tuple[Figure, MatplotlibFigure]]:
    """Yield each figure and its drawing; feature maps are left out if the model has no convolution."""
    from components.visualizer.figure_data import ClassDistribution, ConfusionMatrix, learning_curves
    from components.visualizer.plots.class_distribution import draw_class_distribution
    from components.visualizer.plots.confusion_matrix import draw_confusion_matrix
    from components.visualizer.plots.feature_maps import draw_feature_maps
    from components.visualizer.plots.learning_curves import draw_learning_curves
    from components.visualizer.plots.mistakes import draw_mistakes

    def figure(name: str, title: str, alt: str) -> Figure:
        return Figure(name=name, file=f"{name}.png", title=title, alt=alt)

    alt = f"Loss and accuracy over {len(report.model.history)} epochs, training and validation."
    yield figure("curves", "Learning curves", alt), draw_learning_curves(*learning_curves(report.model))

    matrix = ConfusionMatrix.from_evaluation(report.evaluation)
    alt = f"True against predicted class on the test split; accuracy {report.evaluation.metrics.accuracy:.2%}."
    yield figure("confusion_matrix", "Confusion matrix", alt), draw_confusion_matrix(matrix)

    if (feature_maps := report.feature_maps) is not None:
        filters, class_name = feature_maps.layers[0].maps.shape[-1], feature_maps.images[0].class_name
        alt = f"The output of the {filters} filters of the first convolution for an image of class {class_name}."
        yield figure("feature_maps", "First convolution: feature maps", alt), draw_feature_maps(feature_maps)

    distribution = ClassDistribution.from_examples(report.examples)
    alt = "The number of images of each class in the training, validation and test split."
    yield figure("class_distribution", "Images of each class", alt), draw_class_distribution(distribution)

    alt = "Misclassified test images with true and predicted class, the most confident first."
    yield figure("mistakes", "Most confident mistakes", alt), draw_mistakes(report.mistakes)
