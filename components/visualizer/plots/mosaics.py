"""Figures of images. Many small ones share one axes: hundreds of axes would take seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from components.base.text import printable
from components.visualizer.figure_data import ConfidentMistakes, FeatureMaps
from components.visualizer.network_kernels import NetworkKernels
from components.visualizer.plots.style import HEADER_INCHES, VERMILION, add_title, new_figure, set_title
from components.visualizer.training_images import AugmentedImage, TrainingImages

MAX_LABEL_LENGTH, MAX_SHORT_LABEL_LENGTH = 20, 11
"""Longer names of classes are cut; the short one is for two of them above an image."""
MAX_ROWS = 25
"""More rows are drawn in several blocks, side by side."""
MAX_KERNELS = 64
COLUMNS = 8
"""Images side by side."""
NO_TICKS: dict[str, Any] = {"xticks": (), "yticks": ()}
"""For axes of images: matplotlib lays out even invisible ticks."""
LETTER_INCHES, LINE_INCHES = 0.085, 0.16
"""Width of a letter, and height of a line of labels."""


@dataclass(frozen=True)
class Row:
    """A label, and images in cells from left to right; None is an empty cell."""

    label: str
    cells: tuple[NDArray[np.float32] | None, ...]


def draw_feature_maps(feature_maps: FeatureMaps) -> Figure:
    """Return the first image and, beside it, one map per filter, all on one scale around zero."""
    image, maps = feature_maps.images[0], feature_maps.convolutions[0][0]
    filters = maps.shape[-1]
    shown = min(filters, 64)
    rows = -(-shown // COLUMNS)
    figure = new_figure(11, 0.95 * max(rows, 3) + 0.8)
    [[left, right]] = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 2.9))
    picture = left.subplots()
    picture.imshow(image.pixels, cmap="gray", vmin=0, vmax=1)
    picture.set_axis_off()
    name = printable(image.class_name, limit=MAX_LABEL_LENGTH)
    picture.set_title(f"input: {name}", loc="center", fontsize=10, fontweight="normal")
    limit = float(np.abs(maps).max()) or 1.0
    height, width = maps.shape[0] + 1, maps.shape[1] + 1
    sheet = np.full((rows * height, COLUMNS * width), np.nan)  # one image: an axes for each map would take long
    for number in range(shown):
        row, column = divmod(number, COLUMNS)
        sheet[row * height :, column * width :][: height - 1, : width - 1] = maps[..., number]
    grid = right.subplots(subplot_kw=NO_TICKS)
    grid.set_axis_off()
    drawn = grid.imshow(sheet, cmap="RdBu_r", vmin=-limit, vmax=limit)
    bar = right.colorbar(drawn, ax=grid, shrink=0.8, pad=0.02)
    bar.set_label("activation")
    bar.outline.set_visible(False)
    note = f"{shown} of {filters} filters" if shown < filters else f"{filters} filters"
    set_title(figure, "First convolution: feature maps", f"{note}; red is positive, blue is negative")
    return figure


def draw_mistakes(mistakes: ConfidentMistakes) -> Figure:
    """Return the misclassified images with true and predicted class, the most confident first."""
    rows = max(1, -(-len(mistakes.shown) // COLUMNS))
    figure = Figure(figsize=(11, 1.62 * rows + 0.7))
    axes = figure.add_axes((0, 0.01, 1, 0.98 - HEADER_INCHES / figure.get_figheight()))
    axes.set_axis_off()
    if not mistakes.shown:
        figure.text(0.5, 0.4, f"none in {mistakes.image_count:,} test images", ha="center", fontsize=12)
    label = partial(printable, limit=MAX_SHORT_LABEL_LENGTH)
    for place, mistake in enumerate(mistakes.shown):
        height, width = mistake.image.shape[:2]
        gap, label_height = 0.12 * width, 0.42 * height
        row, column = divmod(place, COLUMNS)
        left, top = column * (width + gap) + gap / 2, row * (height + label_height) + label_height
        axes.imshow(mistake.pixels, cmap="gray_r", vmin=0, vmax=1, extent=(left, left + width, top + height, top))
        axes.text(
            left + width / 2, top,
            f"{label(mistake.class_name)} → {label(mistake.predicted)}\n{mistake.confidence:.1%} confident",
            ha="center", va="bottom", fontsize=8.5, color=VERMILION,
        )  # fmt: skip
    if mistakes.shown:
        axes.set(xlim=(0, COLUMNS * (width + gap)), ylim=(rows * (height + label_height), 0))
    shown, total = len(mistakes.shown), mistakes.total
    which = f"{shown} of {total:,}" if shown < total else f"all {total:,}"
    note = f"{which} mistakes among {mistakes.image_count:,} test images; true → predicted class"
    add_title(figure, "Most confident mistakes", note)
    return figure


def draw_training_images(training: TrainingImages, *, class_count: int) -> Figure:
    """Return one row per class: ten images, their mean, and the image that is most distant from it."""
    empty = (None,)
    rows = []
    for each in training.classes:
        missing = empty * (training.images_per_class - len(each.images))
        rows.append(Row(each.name, (*each.images, *missing, None, each.mean, each.most_distant)))
    shown = len(training.classes)
    which = f"{shown} of {class_count} classes" if shown < class_count else f"{shown} classes"
    headers = {training.images_per_class + 1: "mean", training.images_per_class + 2: "most\ndistant"}
    return _draw_rows(rows, "Training images", f"{which}; the mean of each class, and its most distant image", headers)


def draw_augmented_images(images: Sequence[AugmentedImage]) -> Figure:
    """Return one row per image: the image, and what augmentation made of it."""
    rows = [Row(each.class_name, (each.original, None, *each.variants)) for each in images]
    note = "a training image, and what the network received in its place"
    return _draw_rows(rows, "Augmentation", note, {0: "original", 2: "augmented"})


def draw_kernels(first: NetworkKernels) -> Figure:
    """Return the kernels, all on one scale around zero: red and blue, or as colors where they have three channels."""
    count = len(first.kernels)
    images = first.in_color()[:MAX_KERNELS]
    if images.shape[-1] == 1:
        images = colormaps["RdBu_r"](images[..., 0])[..., :3].astype(np.float32)
    rows = [Row("", tuple(images[start : start + COLUMNS])) for start in range(0, len(images), COLUMNS)]
    which = f"{len(images)} of {count} kernels" if len(images) < count else f"{count} kernels"
    colors = "zero is gray" if first.kernels.shape[-1] == 3 else "red is positive, blue is negative"
    note = f"{which} of {printable(first.layer, limit=MAX_LABEL_LENGTH)}; {colors}, full color at ±{first.limit:.2g}"
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
    header_height = round(0.36 * pixels_per_inch) if headers else 0
    line_height = max(height + gap, round(LINE_INCHES * pixels_per_inch))
    block_width = label_width + columns * (width + gap)
    canvas = np.ones((header_height + lines * line_height, blocks * block_width, 3), dtype=np.float32)

    figure_width = max(6.5, canvas.shape[1] / pixels_per_inch + 0.3)
    figure = Figure(figsize=(figure_width, canvas.shape[0] / pixels_per_inch + HEADER_INCHES + 0.1))
    bottom, top = 0.1 / figure.get_figheight(), 1 - HEADER_INCHES / figure.get_figheight()
    axes = figure.add_axes((0.1 / figure_width, bottom, 1 - 0.3 / figure_width, top - bottom))
    axes.set_axis_off()
    text: dict[str, Any] = {"fontsize": 9 if blocks == 1 else 7}
    for number, (row, label) in enumerate(zip(rows, labels, strict=True)):
        block, line = divmod(number, lines)
        x, y = block * block_width + label_width, header_height + line * line_height
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
    """Return a picture as colors; gray ones are ink on white paper."""
    return np.clip(1 - picture if picture.shape[-1] == 1 else picture, 0, 1)
