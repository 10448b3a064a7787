"""What convolutions make of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from components.visualizer.plots.style import NO_TICKS, new_figure, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MOST_MAPS = 64
COLUMNS = 8


def convolutions(network: Any, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return what each convolution of a keras network gives, by its name, in the order of the layers.

    Args:
        network: a built keras model.
        images: scaled, float32 [images, height, width, channels].

    Returns:
        float32 [images, height, width, filters] each; nothing for a network without convolutions.
    """
    import keras

    layers = {layer.name: layer.output for layer in network.layers if isinstance(layer, keras.layers.Conv2D)}
    if not layers:
        return {}
    maps = keras.Model(network.inputs[0], layers)(images)
    return {name: maps[name].numpy().astype(np.float32) for name in layers}


def draw_feature_maps(image: NDArray[np.float32], maps: NDArray[np.float32], class_name: str) -> Figure:
    """Return the image and, beside it, one map a filter, all on one scale around zero."""
    filters = maps.shape[-1]
    shown = min(filters, MOST_MAPS)
    rows = -(-shown // COLUMNS)
    figure = new_figure(11, 0.95 * max(rows, 3) + 0.8)
    [[left, right]] = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 2.9))
    picture = left.subplots()
    picture.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
    picture.set_axis_off()
    picture.set_title(f"input: {class_name}", loc="center", fontsize=10, fontweight="normal")
    limit = float(np.abs(maps).max()) or 1.0
    grid = right.subplots(rows, COLUMNS, squeeze=False, subplot_kw=NO_TICKS)
    for number, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if number < shown:
            drawn = axes.imshow(maps[..., number], cmap="RdBu_r", vmin=-limit, vmax=limit)
    bar = right.colorbar(drawn, ax=grid, shrink=0.8, pad=0.02)
    bar.set_label("response")
    bar.outline.set_visible(False)
    note = f"{shown} of {filters} filters" if shown < filters else f"{filters} filters"
    set_title(figure, "First convolution: feature maps", f"{note}; red answers, blue is suppressed")
    return figure
