"""The feature maps of every convolution for some test images."""

from typing import Any

import numpy as np
from markupsafe import Markup

from components.base.formatting import counted
from components.base.text import printable
from components.html.format import TIMES
from components.html.inline_images import feature_map_sheet, image_attributes
from components.visualizer.figure_data import FeatureMaps
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData

MAX_FILTERS = 96
MAX_SIDE_PIXELS = 32
"""Larger maps are subsampled, to limit the size of the page."""
MAX_SHEETS = 60
"""Of all images together: a network with many convolutions shows fewer images."""


def render_feature_maps(report: ReportData) -> Markup:
    """Return the section; empty if the model has no convolution."""
    feature_maps = report.feature_maps
    if feature_maps is None:
        return Markup()
    shown = max(1, MAX_SHEETS // len(feature_maps.convolutions))
    images = [(image, _sheets(feature_maps, index)) for index, image in enumerate(feature_maps.images[:shown])]
    return render_section("feature_maps", images=images, picture=image_attributes)


def _sheets(feature_maps: FeatureMaps, index: int) -> list[dict[str, Any]]:
    sheets, names = [], [printable(name) for name in feature_maps.names]
    for number, output in enumerate(feature_maps.convolutions):
        maps = output[index]
        height, width, filters = maps.shape
        step = -(-max(height, width) // MAX_SIDE_PIXELS)
        shown = maps[::step, ::step, :MAX_FILTERS]
        limit = float(np.abs(output).max()) or 1.0  # all images share one scale, so that they can be compared
        columns = min(shown.shape[-1], 8 if shown.shape[-1] <= 32 else 16)
        which = f"the first {MAX_FILTERS} of {filters} filters" if filters > MAX_FILTERS else counted(filters, "filter")
        sheets.append(
            {
                "layer": "" if number >= len(names) or names[number] == f"convolution_{number + 1}" else names[number],
                "which": which,
                "size": f"{height}{TIMES}{width}",
                "limit": f"{limit:.2g}",
                "strongest": int(np.abs(maps).reshape(-1, filters).max(axis=0).argmax()) + 1,
                "picture": feature_map_sheet(shown, limit=limit, columns=columns),
                "columns": columns,
            }
        )
    return sheets
