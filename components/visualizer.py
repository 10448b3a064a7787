"""Visualizer: the pictures of a run, as PNG files that a person would want to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from components.artifacts import Evaluation, Figure, Figures, Model, Stored, TransformedExamples
from components.component import Component, ComponentConfig, Context
from components.errors import ConfigError
from components.runtime.disk import room_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from matplotlib.figure import Figure as Drawing

    from components.data.formats import ImageSplit

PICTURE = 150_000
"""Bytes that a picture takes: the largest of MNIST's has 121 kB."""


class VisualizerConfig(ComponentConfig):
    """What is drawn."""

    example: Annotated[int, Field(strict=True, ge=0)] = 0
    """Row of the test image whose feature maps are drawn."""


class Visualizer(Component[VisualizerConfig]):
    """Draws curves, confusion matrix, feature maps, class distribution and mistakes."""

    Config = VisualizerConfig
    libraries = ("matplotlib", "seaborn", "numpy", "pandas", "tensorflow", "keras")

    def run(
        self,
        context: Context,
        /,
        *,
        transformed: Stored[TransformedExamples],
        model: Stored[Model],
        evaluation: Stored[Evaluation],
    ) -> Figures:
        """Write one PNG file a figure; a model without a convolution has no feature maps.

        Raises:
            ConfigError: if `example` is not a row of the test split.
        """
        with context.timed("imports"):
            import numpy as np

            from components.data.formats import read_predictions, read_scaled
            from components.figures.class_distribution import draw_class_distribution
            from components.figures.confusion import draw_confusion
            from components.figures.curves import draw_curves
            from components.figures.mistakes import draw_mistakes
            from components.figures.style import save, style
            from components.models.predictor import import_libraries

            import_libraries(model)

        stated = transformed.artifact
        names = stated.class_names
        splits = {name: read_scaled(transformed, split) for name, split in stated.splits.items()}
        counts = {name: np.bincount(split.labels, minlength=len(names)).tolist() for name, split in splits.items()}
        accuracy = evaluation.artifact.metrics.accuracy

        def draw() -> Iterator[tuple[str, str, str, Drawing]]:
            yield (
                "curves",
                "Learning curves",
                f"Loss and accuracy over {len(model.artifact.history)} epochs, training and validation.",
                draw_curves(model.artifact),
            )
            yield (
                "confusion_matrix",
                "Confusion matrix",
                f"True against predicted class on the test split; {accuracy:.2%} are right.",
                draw_confusion(evaluation.artifact),
            )
            maps = self._feature_maps(model, splits["test"], names) if model.artifact.format == "keras" else []
            if not maps:
                context.progress.message("no picture of feature maps: the model has no convolution")
            yield from maps
            yield (
                "class_distribution",
                "Images of each class",
                "How many images of each class are in the training, validation and test split.",
                draw_class_distribution(counts, names, stated.title),
            )
            yield (
                "mistakes",
                "The most confident mistakes",
                "Test images that the network mistook, the surest first, each with true and predicted class.",
                draw_mistakes(splits["test"].images, read_predictions(evaluation), names),
            )

        figures = []
        with context.timed("drawing"), style():
            for name, title, alt, drawing in draw():
                context.termination.check()
                with room_for(context.output, PICTURE, f"the picture {name}.png"):
                    save(drawing, context.output / f"{name}.png")
                figures.append(Figure(name=name, file=f"{name}.png", title=title, alt=alt))
        return Figures(figures=tuple(figures))

    def _feature_maps(
        self, model: Stored[Model], test: ImageSplit[np.float32], names: tuple[str, ...]
    ) -> list[tuple[str, str, str, Drawing]]:
        from components.figures.feature_maps import draw_feature_maps, first_convolution
        from components.models.predictor import load_network

        row = self.config.example
        if row >= len(test):
            raise ConfigError(
                f"visualizer.example is {row}, but the test split has {len(test)} images",
                expected=f"a row from 0 to {len(test) - 1}",
                remedy="choose another row",
            )
        image, name = test.images[row], names[test.labels[row]]
        maps = first_convolution(load_network(model), image)
        if maps is None:
            return []
        alt = f"The output of the {maps.shape[-1]} filters of the first convolution for an image of class {name}."
        return [("feature_maps", "First convolution: feature maps", alt, draw_feature_maps(image, maps, name))]
