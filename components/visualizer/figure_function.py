"""FigureFunction: a custom figure, drawn by a function; FigureData: what the function receives."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field

from components import artifacts
from components.artifacts import Evaluation, Stored
from components.base.errors import one_line
from components.base.extension import Extension
from components.visualizer.statements import Statements

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from components.inference.split_images import SplitImages

BUILT_IN_FIGURES = (
    *("curves", "confusion_matrix", "feature_maps", "kernels", "class_distribution", "training_images"),
    *("augmentation", "mistakes"),
)
"""Names of the built-in figures, which a custom figure cannot have."""
MAX_NAME_LENGTH = 100
Text = Annotated[str, Field(min_length=1, max_length=2000)]


@dataclass(frozen=True, kw_only=True)
class FigureData(Statements):
    """Data of a custom figure: the test split and its predictions, the history, and all statements.

    `examples`, `transformed`, `model` and `evaluation` are the statements of the artifacts (`components.artifacts`),
    such as `data.evaluation.metrics.accuracy`.
    """

    labels: NDArray[np.int64]
    """The true class of each test image, [images]."""
    probabilities: NDArray[np.float32]
    """The predicted probability of each class, [images, classes]; the rows are those of `labels`."""
    class_names: tuple[str, ...]
    """The name of each class, by label."""
    images: SplitImages
    """The test images, float32 from 0 to 1. `images[3]` is one, [height, width, channels]; `images[:100]` are several,
    [images, height, width, channels]. They are read from the disk when they are indexed."""
    history: pd.DataFrame
    """One row per epoch: `epoch`, `loss`, `accuracy`, `val_loss`, `val_accuracy`, `learning_rate`."""

    @classmethod
    def read(cls, statements: Statements, evaluation: Stored[Evaluation], test: SplitImages) -> Self:
        """Return the data of a run; the evaluation has the predictions for the test images."""
        import pandas as pd

        from components.io.splits import read_probabilities

        return cls(
            examples=statements.examples,
            transformed=statements.transformed,
            model=statements.model,
            evaluation=statements.evaluation,
            labels=test.labels,
            probabilities=read_probabilities(evaluation),
            class_names=statements.examples.class_names,
            images=test,
            history=pd.DataFrame([row.model_dump() for row in statements.model.history]),
        )

    @property
    def predictions(self) -> NDArray[np.int64]:
        """The predicted class of each test image, [images]."""
        predictions: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return predictions


class FigureFunction(Extension):
    """A custom figure: a function that returns a figure of matplotlib.

    It becomes a PNG file and a section of the report.
    """

    arguments = ("data",)
    returns = "matplotlib.figure.Figure"

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=MAX_NAME_LENGTH)] | None = None
    """The name of the file, without `.png`; by default that of the function."""
    title: Text | None = None
    """The heading of the section; by default the first line of the function's docstring."""
    alt: Text | None = None
    """What the figure shows, for readers who cannot see it; by default the rest of the docstring."""

    @property
    def key(self) -> str:
        """The name of the figure."""
        return self.name or re.sub(r"\W", "", self.function_name, flags=re.ASCII)[:MAX_NAME_LENGTH] or "figure"

    def describe(self) -> artifacts.Figure:
        """Return the statement of the figure."""
        first, _, rest = (inspect.getdoc(self.target) or "").partition("\n")
        title = self.title or first.strip().removesuffix(".") or self.key.replace("_", " ").capitalize()
        alt = self.alt or " ".join(rest.split()) or title
        return artifacts.Figure(name=self.key, file=f"{self.key}.png", title=title, alt=alt)

    def save(self, data: FigureData, path: Path) -> None:
        """Draw the figure and write it as PNG.

        Raises:
            ConfigError: if the function does not return a figure, or matplotlib cannot draw it.
        """
        from matplotlib import pyplot as plt
        from matplotlib.figure import Figure

        from components.visualizer.plots.style import save, style

        with style({"text.parse_math": True}):
            drawing: Any = self(data=data)
            if not isinstance(drawing, Figure):
                raise self.error(f"returned {type(drawing).__name__}")
            try:
                save(drawing, path)
            except (OSError, MemoryError):
                raise
            except Exception as error:
                raise self.error(f"returned a figure that matplotlib cannot draw: {one_line(error)}") from error
            finally:
                plt.close(drawing)  # pyplot keeps the figures that it made


def check_names(figures: tuple[FigureFunction, ...]) -> tuple[FigureFunction, ...]:
    """Return the figures; raise ValueError if two have the same name, or one has that of a built-in figure."""
    names = list(BUILT_IN_FIGURES)
    for figure in figures:
        if figure.key in names:
            raise ValueError(f"another figure has the name `{figure.key}`: set a different `name` for {figure.use}")
        names.append(figure.key)
    return figures
