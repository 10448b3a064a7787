"""Visualizer: the pictures of a run as PNG files, the page that tells of it, and the model's card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from components.artifacts import Evaluation, Examples, Figure, Figures, Model, Stored, TransformedExamples
from components.base.component import Component, ComponentConfig, Context
from components.base.errors import ConfigError
from components.runtime.disk import disk_space_guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure as Drawing

    from components.io.splits import ImageSplit
    from components.visualizer.report.report_data import Mistake, ReportData, Response, TestImage

PICTURE = 150_000
"""Bytes that a picture takes: the largest of MNIST's has 121 kB."""
REPORT = 3_000_000
"""Bytes that the page takes at most."""
REPORT_FILE = "report.html"
CARD = 1_000_000
"""Bytes that the model card takes at most: that of MNIST takes 12 kB."""
CARD_FILE = "model_card.md"
MOST_CHOSEN = 10
"""Images whose feature maps are shown where none were named."""
Row = Annotated[int, Field(strict=True, ge=0)]


class VisualizerConfig(ComponentConfig):
    """What is drawn."""

    examples: Annotated[tuple[Row, ...], Field(max_length=20)] = ()
    """Rows of the test images whose feature maps are shown, the first one's also as a picture; if none are named, the
    first image of each of the first ten classes."""


class Visualizer(Component[VisualizerConfig]):
    """Draws curves, confusion matrix, feature maps, class distribution and mistakes; writes report and model card."""

    Config = VisualizerConfig
    libraries = (
        "jinja2",
        "keras",
        "markdown-it-py",
        "matplotlib",
        "numpy",
        "pandas",
        "pillow",
        "pyarrow",
        "seaborn",
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

        A model without a convolution has no feature maps.

        Raises:
            ConfigError: if one of `examples` is not a row of the test split.
        """
        with context.timed("imports"):
            from components.inference.predictor import import_libraries, load_network
            from components.io.splits import read_predictions, read_scaled
            from components.visualizer.model_card import render_card
            from components.visualizer.plots.style import save, style
            from components.visualizer.report import render_report
            from components.visualizer.report.report_data import ReportData
            from components.visualizer.sketchpad import pad_section

            import_libraries(model)

        with context.timed("reading"):
            test = read_scaled(transformed, transformed.artifact.splits.test)
            answers = read_predictions(evaluation)
            chosen = self._choose(test)
        with context.timed("inference"):
            network = load_network(model) if model.artifact.format == "keras" else None
            responses = () if network is None else respond(network, chosen)
            pad = pad_section(model, network, test.images)
        if not responses:
            context.progress.message("no picture of feature maps: the model has no convolution")
        story = ReportData(
            examples=examples.artifact,
            transformed=transformed.artifact,
            model=model.artifact,
            evaluation=evaluation.artifact,
            mistakes=mistakes(test, answers),
            chosen=chosen,
            responses=responses,
            pad=pad,
        )
        figures = []
        with context.timed("drawing"), style():
            for name, title, alt, drawing in draw(story, test, answers):
                context.termination.check()
                with disk_space_guard(context.output, PICTURE, f"the picture {name}.png"):
                    save(drawing, context.output / f"{name}.png")
                figures.append(Figure(name=name, file=f"{name}.png", title=title, alt=alt))
        context.termination.check()
        with context.timed("report"):
            card = render_card(story)
            for file, size, what, page in (
                (CARD_FILE, CARD, "the model card", card),
                (REPORT_FILE, REPORT, "the report", render_report(story, card)),
            ):
                with disk_space_guard(context.output, size, what):
                    (context.output / file).write_text(page, encoding="utf-8")
        return Figures(figures=tuple(figures), report_file=REPORT_FILE, model_card_file=CARD_FILE)

    def _choose(self, test: ImageSplit[np.float32]) -> tuple[TestImage, ...]:
        """Return the images whose feature maps are to be seen."""
        import numpy as np

        from components.visualizer.report.report_data import TestImage

        rows = self.config.examples
        if not rows:
            _, first = np.unique(test.labels, return_index=True)  # by class
            rows = tuple(int(row) for row in first[:MOST_CHOSEN])
        for row in rows:
            if row >= len(test):
                raise ConfigError(
                    f"visualizer.examples has {row}, but the test split has {len(test)} images",
                    expected=f"rows from 0 to {len(test) - 1}",
                    remedy="choose other rows",
                )
        return tuple(TestImage(row, int(test.labels[row]), test.images[row]) for row in rows)


def respond(network: Any, chosen: tuple[TestImage, ...]) -> tuple[Response, ...]:
    """Return what each convolution of a network makes of the chosen images."""
    import numpy as np

    from components.visualizer.plots.feature_maps import convolutions
    from components.visualizer.report.report_data import Response

    maps = convolutions(network, np.stack([each.image for each in chosen]))
    return tuple(Response(layer, given) for layer, given in maps.items())


def mistakes(test: ImageSplit[np.float32], answers: pd.DataFrame) -> tuple[Mistake, ...]:
    """Return the mistakes that the model was surest of."""
    from components.visualizer.plots.mistakes import MOST, surest_mistakes
    from components.visualizer.report.report_data import Mistake

    worst = surest_mistakes(answers).head(MOST)
    return tuple(
        Mistake(int(row.Index), int(row.label), test.images[row.Index], int(row.prediction), float(row.confidence))
        for row in worst.itertuples()
    )


def draw(
    story: ReportData, test: ImageSplit[np.float32], answers: pd.DataFrame
) -> Iterator[tuple[str, str, str, Drawing]]:
    """Yield name, title, words and drawing of each picture."""
    from components.visualizer.plots.class_distribution import draw_class_distribution
    from components.visualizer.plots.confusion_matrix import draw_confusion
    from components.visualizer.plots.feature_maps import draw_feature_maps
    from components.visualizer.plots.learning_curves import draw_curves
    from components.visualizer.plots.mistakes import draw_mistakes

    names = story.examples.class_names
    yield (
        "curves",
        "Learning curves",
        f"Loss and accuracy over {len(story.model.history)} epochs, training and validation.",
        draw_curves(story.model),
    )
    yield (
        "confusion_matrix",
        "Confusion matrix",
        f"True against predicted class on the test split; {story.evaluation.metrics.accuracy:.2%} are right.",
        draw_confusion(story.evaluation),
    )
    if story.responses:
        first, maps = story.chosen[0], story.responses[0].maps[0]
        name = names[first.label]
        yield (
            "feature_maps",
            "First convolution: feature maps",
            f"The output of the {maps.shape[-1]} filters of the first convolution for an image of class {name}.",
            draw_feature_maps(first.image, maps, name),
        )
    yield (
        "class_distribution",
        "Images of each class",
        "How many images of each class are in the training, validation and test split.",
        draw_class_distribution(
            {name: split.label_counts for name, split in story.examples.splits.items()},
            names,
            story.examples.source.title,
        ),
    )
    yield (
        "mistakes",
        "The most confident mistakes",
        "Test images that the network mistook, the surest first, each with true and predicted class.",
        draw_mistakes(test.images, answers, names),
    )
