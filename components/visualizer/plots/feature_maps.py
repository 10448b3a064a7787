"""The feature maps of the first convolution for one test image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.visualizer.figure_data import FeatureMaps
from components.visualizer.plots.style import NO_TICKS, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_MAPS = 64
COLUMNS = 8


def draw_feature_maps(feature_maps: FeatureMaps) -> Figure:
    """Return the first image and, beside it, one map a filter, all on one scale around zero."""
    image, maps = feature_maps.images[0], feature_maps.layers[0].maps[0]
    filters = maps.shape[-1]
    shown = min(filters, MAX_MAPS)
    rows = -(-shown // COLUMNS)
    figure = new_figure(11, 0.95 * max(rows, 3) + 0.8)
    [[left, right]] = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 2.9))
    picture = left.subplots()
    picture.imshow(image.image[..., 0], cmap="gray", vmin=0, vmax=1)
    picture.set_axis_off()
    picture.set_title(f"input: {image.class_name}", loc="center", fontsize=10, fontweight="normal")
    limit = float(np.abs(maps).max()) or 1.0
    grid = right.subplots(rows, COLUMNS, squeeze=False, subplot_kw=NO_TICKS)
    for number, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if number < shown:
            drawn = axes.imshow(maps[..., number], cmap="RdBu_r", vmin=-limit, vmax=limit)
    bar = right.colorbar(drawn, ax=grid, shrink=0.8, pad=0.02)
    bar.set_label("activation")
    bar.outline.set_visible(False)
    note = f"{shown} of {filters} filters" if shown < filters else f"{filters} filters"
    set_title(figure, "First convolution: feature maps", f"{note}; red is positive, blue is negative")
    return figure
