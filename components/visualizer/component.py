"""Visualizer: figures as PNG files, the report, and the model card."""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, Field

from components.artifacts import Evaluation, Examples, Figure, Figures, Model, Stored, TransformedExamples
from components.base.component import Component, ComponentConfig, Context
from components.runtime.disk import disk_space_guard
from components.visualizer.figure_function import FigureData, FigureFunction, check_names

REPORT_FILE, MAX_REPORT_BYTES = "report.html", 3_000_000
CARD_FILE, MAX_CARD_BYTES = "model_card.md", 1_000_000
"""The card of MNIST has 12 kB."""
Row = Annotated[int, Field(strict=True, ge=0)]


class VisualizerConfig(ComponentConfig):
    """What the Visualizer draws."""

    examples: Annotated[tuple[Row, ...], Field(max_length=20)] = ()
    """Rows of the test images whose feature maps are shown; the first one is also a PNG file. By default, the
    first image of each of the first ten classes."""
    figures: Annotated[tuple[FigureFunction, ...], Field(max_length=20), AfterValidator(check_names)] = ()
    """Custom figures, which functions draw with matplotlib; each is a PNG file and a section of the report."""


class Visualizer(Component[VisualizerConfig]):
    """Draws the figures of a run, and writes its report and its model card.

    >>> Visualizer(VisualizerConfig(examples=(0, 7))).config.examples
    (0, 7)
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
            from components.inference.pictures import read_pictures
            from components.inference.predictor import import_libraries, load_network
            from components.inference.transform_graph import input_graph
            from components.io.splits import read_predictions
            from components.visualizer.figure_data import ConfidentMistakes, FeatureMaps, example_images
            from components.visualizer.learning_curves import read_steps
            from components.visualizer.model_card import render_card
            from components.visualizer.network_kernels import NetworkKernels
            from components.visualizer.plots.figures import draw_figures
            from components.visualizer.plots.style import save, style
            from components.visualizer.report import render_report
            from components.visualizer.report.sections.custom_figures import embed_figures
            from components.visualizer.report_data import ReportData
            from components.visualizer.sketchpad import render_sketchpad
            from components.visualizer.training_images import TrainingImages, read_augmented

            import_libraries(model)

        with context.timed("reading"):
            test = read_pictures(transformed, transformed.artifact.splits.test)
            predictions = read_predictions(evaluation)
            class_names = examples.artifact.class_names
            images = example_images(test, class_names, self.config.examples)
            training_images = TrainingImages.read(transformed)
        with context.timed("inference"):
            network = load_network(model) if model.artifact.format == "keras" else None
            graph = input_graph(transformed.artifact.graph)
            report = ReportData(
                examples=examples.artifact,
                transformed=transformed.artifact,
                model=model.artifact,
                evaluation=evaluation.artifact,
                mistakes=ConfidentMistakes.from_predictions(test, predictions, class_names),
                training_images=training_images,
                augmented=read_augmented(model, transformed),
                steps=read_steps(model),
                kernels=NetworkKernels.of(model, network),
                feature_maps=None if network is None else FeatureMaps.compute(network, images, graph),
                sketchpad=render_sketchpad(model, network, test, graph=graph),
            )
        if report.feature_maps is None:
            context.progress.message("no figure of feature maps: the model has no convolution")
        figures = []
        with context.timed("drawing"):
            with style():
                for figure, drawing in draw_figures(report):
                    with _disk_space(context, figure):
                        save(drawing, context.output / figure.file)
                    figures.append(figure)
            if self.config.figures:
                data = FigureData.read(report, evaluation, test)
                own = [function.describe() for function in self.config.figures]
                for function, figure in zip(self.config.figures, own, strict=True):
                    with _disk_space(context, figure):
                        function.save(data, context.output / figure.file)
                report = replace(report, custom_figures=embed_figures(own, context.output))
                figures += own
        context.termination.check()
        with context.timed("report"):
            card = render_card(report)
            with disk_space_guard(context.output, MAX_CARD_BYTES, "the model card"):
                (context.output / CARD_FILE).write_text(card, encoding="utf-8")
            page = render_report(report, card)
            with disk_space_guard(context.output, MAX_REPORT_BYTES, "the report"):
                (context.output / REPORT_FILE).write_text(page, encoding="utf-8")
        return Figures(figures=tuple(figures), report_file=REPORT_FILE, model_card_file=CARD_FILE)


def _disk_space(context: Context, figure: Figure) -> AbstractContextManager[None]:
    context.termination.check()
    # The largest figure of MNIST has 128 kB.
    return disk_space_guard(context.output, 150_000, f"the figure {figure.file}")
