"""Figures of many small images, drawn as one image each: matplotlib would take seconds for hundreds of axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from components.base.text import printable
from components.visualizer.network_kernels import NetworkKernels
from components.visualizer.plots.style import HEADER_INCHES, add_title
from components.visualizer.training_images import AugmentedImage, TrainingImages

MAX_LABEL_LENGTH = 20
MAX_ROWS = 25
"""More rows are drawn in several blocks, side by side."""
MAX_KERNELS = 64
COLUMNS = 8
LETTER_INCHES = 0.085
"""Width of a letter of a label."""


@dataclass(frozen=True)
class Row:
    """A label, and images in cells from left to right; None is an empty cell."""

    label: str
    cells: tuple[NDArray[np.float32] | None, ...]


def draw_training_images(training: TrainingImages, *, class_count: int) -> Figure:
    """Return one row a class: ten images, their mean, and the image that is most distant from it."""
    empty = (None,)
    rows = []
    for each in training.classes:
        missing = empty * (training.images_per_class - len(each.images))
        rows.append(Row(each.name, (*each.images, *missing, None, each.mean, each.most_distant)))
    shown = len(training.classes)
    which = f"{shown} of {class_count} classes" if shown < class_count else f"{shown} classes"
    headers = {training.images_per_class + 1: "mean", training.images_per_class + 2: "farthest"}
    return _draw_rows(rows, "Training images", f"{which}; the mean of each class, and its most distant image", headers)


def draw_augmented_images(images: Sequence[AugmentedImage]) -> Figure:
    """Return one row an image: the image, and what augmentation made of it."""
    rows = [Row(each.class_name, (each.original, None, *each.variants)) for each in images]
    note = "a training image, and what the network received in its place"
    return _draw_rows(rows, "Augmentation", note, {0: "original", 2: "augmented"})


def draw_kernels(first: NetworkKernels) -> Figure:
    """Return the kernels, all on one scale around zero: red and blue, or as colours where they have three channels."""
    count = len(first.kernels)
    images = first.in_colour()[:MAX_KERNELS]
    if images.shape[-1] == 1:
        images = colormaps["RdBu_r"](images[..., 0])[..., :3].astype(np.float32)
    rows = [Row("", tuple(images[start : start + COLUMNS])) for start in range(0, len(images), COLUMNS)]
    which = f"{len(images)} of {count} kernels" if len(images) < count else f"{count} kernels"
    colours = "zero is gray" if first.kernels.shape[-1] == 3 else "red is positive, blue is negative"
    note = f"{which} of {printable(first.layer, limit=MAX_LABEL_LENGTH)}; {colours}, full color at ±{first.limit:.2g}"
    return _draw_rows(rows, "Kernels of the first layer", note, {})


def _draw_rows(rows: Sequence[Row], title: str, note: str, headers: dict[int, str]) -> Figure:
    """Return the rows in blocks of `MAX_ROWS`, with headers above some columns."""
    blocks = -(-len(rows) // MAX_ROWS)
    columns, lines = max(len(row.cells) for row in rows), -(-len(rows) // blocks)
    height, width = next(cell for row in rows for cell in row.cells if cell is not None).shape[:2]
    gap = max(1, round(0.08 * max(height, width)))
    side = 0.55 if blocks == 1 else 0.32
    pixels_per_inch = (max(height, width) + gap) / side
    labels = [printable(row.label, limit=MAX_LABEL_LENGTH) for row in rows]
    label_width = round((0.2 + LETTER_INCHES * max(map(len, labels))) * pixels_per_inch)
    header_height = round(0.3 * pixels_per_inch) if headers else 0
    block_width = label_width + columns * (width + gap)
    canvas = np.ones((header_height + lines * (height + gap), blocks * block_width, 3), dtype=np.float32)

    figure_width = max(6.5, canvas.shape[1] / pixels_per_inch + 0.3)
    figure = Figure(figsize=(figure_width, canvas.shape[0] / pixels_per_inch + HEADER_INCHES + 0.1))
    bottom, top = 0.1 / figure.get_figheight(), 1 - HEADER_INCHES / figure.get_figheight()
    axes = figure.add_axes((0.1 / figure_width, bottom, 1 - 0.3 / figure_width, top - bottom))
    axes.set_axis_off()
    text: dict[str, Any] = {"fontsize": 9 if blocks == 1 else 7}
    for number, (row, label) in enumerate(zip(rows, labels, strict=True)):
        block, line = divmod(number, lines)
        x, y = block * block_width + label_width, header_height + line * (height + gap)
        axes.text(x - 2 * gap, y + height / 2, label, ha="right", va="center", **text)
        for column, cell in enumerate(row.cells):
            if cell is not None:
                left = x + column * (width + gap)
                canvas[y : y + height, left : left + width] = _on_white(cell)
        if line == 0:
            for column, header in headers.items():
                axes.text(x + column * (width + gap), y - gap, header, ha="left", va="bottom", **text)
    axes.imshow(canvas, interpolation="nearest", extent=(0, canvas.shape[1], canvas.shape[0], 0))
    axes.set_anchor("W")
    add_title(figure, title, note)
    return figure


def _on_white(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a picture as colours; grey ones are ink on white paper."""
    return np.clip(1 - picture if picture.shape[-1] == 1 else picture, 0, 1)
