"""Visualizer: figures as PNG files, the report, and the model card."""

from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, Field

from components.artifacts import Evaluation, Examples, Figures, Model, Stored, TransformedExamples
from components.base.component import Component, ComponentConfig, Context
from components.runtime.disk import disk_space_guard
from components.visualizer.figure_function import FigureFunction, check_names

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
            from components.inference.predictor import import_libraries
            from components.inference.split_images import open_pictures
            from components.visualizer.model_card import render_card
            from components.visualizer.read_report import read_report
            from components.visualizer.report import render_report
            from components.visualizer.report.sections.custom_figures import embed_figures
            from components.visualizer.write_figures import write_custom_figures, write_figures

            import_libraries(model)

        output, test = context.output, open_pictures(transformed, transformed.artifact.splits.test)
        report = read_report(
            examples.artifact, transformed, model, evaluation, test, rows=self.config.examples, context=context
        )
        if report.feature_maps is None:
            context.progress.message("no figure of feature maps: the model has no convolution")
        with context.timed("drawing"):
            figures = write_figures(report, context)
            custom = write_custom_figures(self.config.figures, report, evaluation, test, context)
            report = replace(report, custom_figures=embed_figures(custom, output))
        context.termination.check()
        with context.timed("report"):
            card = render_card(report)
            with disk_space_guard(output, MAX_CARD_BYTES, "the model card"):
                (output / CARD_FILE).write_text(card, encoding="utf-8")
            page = render_report(report, card)
            with disk_space_guard(output, MAX_REPORT_BYTES, "the report"):
                (output / REPORT_FILE).write_text(page, encoding="utf-8")
        return Figures(figures=(*figures, *custom), report_file=REPORT_FILE, model_card_file=CARD_FILE)
