"""The mistakes that the network was surest of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.visualizer.plots.style import VERMILION, new_figure, set_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MOST = 24
COLUMNS = 8


def surest_mistakes(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the mistaken images, the most confident first."""
    wrong = predictions[predictions["label"] != predictions["prediction"]]
    return wrong.sort_values("confidence", ascending=False, kind="stable")


def draw_mistakes(images: NDArray[np.float32], predictions: pd.DataFrame, class_names: Sequence[str]) -> Figure:
    """Return a gallery of the mistaken images, the most confident first.

    Args:
        images: scaled test images, float32 [count, height, width, channels].
        predictions: `label`, `prediction` and `confidence`, row by row as the images.
        class_names: by label.
    """
    wrong = surest_mistakes(predictions)
    worst = wrong.head(MOST)
    rows = max(1, -(-len(worst) // COLUMNS))
    figure = new_figure(11, 1.62 * rows + 0.7)
    height, width = images.shape[1:3]
    gap, room = 0.12 * width, 0.42 * height  # between images, and above each for what is said of it
    axes = figure.subplots()
    axes.set_axis_off()
    for place, answer in enumerate(worst.itertuples()):
        row, column = divmod(place, COLUMNS)
        left, top = column * (width + gap) + gap / 2, row * (height + room) + room
        axes.imshow(
            images[answer.Index][..., 0], cmap="gray_r", vmin=0, vmax=1, extent=(left, left + width, top + height, top)
        )
        axes.text(
            left + width / 2, top,
            f"{class_names[answer.label]} read as {class_names[answer.prediction]}\n{answer.confidence:.1%} sure",
            ha="center", va="bottom", fontsize=8.5, color=VERMILION,
        )  # fmt: skip
    axes.set(xlim=(0, COLUMNS * (width + gap)), ylim=(rows * (height + room), 0))  # an image moves them
    if worst.empty:
        figure.text(0.5, 0.4, f"none in {len(predictions):,} test images", ha="center", fontsize=12)
    shown = f"{len(worst)} of {len(wrong):,}" if len(worst) < len(wrong) else f"all {len(wrong)}"
    note = f"{shown} mistakes among {len(predictions):,} test images"
    set_title(figure, "The most confident mistakes", note)
    return figure
