"""The feature maps of every convolution for some test images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from components.visualizer.figure_data import ConvolutionOutput, TestImage
from components.visualizer.format import TIMES, counted
from components.visualizer.report.inline_images import feature_map_sheet, grayscale_image
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData

MAX_FILTERS = 96
MAX_SIDE_PIXELS = 32
"""Larger maps are subsampled, to limit the size of the page."""


@dataclass(frozen=True)
class Sheet:
    """The feature maps of one convolution for one image, as one picture."""

    title: str
    note: str
    picture: str
    alt: str
    columns: int


def render_feature_maps(report: ReportData) -> Markup:
    """Return the section; empty if the model has no convolution."""
    feature_maps = report.feature_maps
    if feature_maps is None:
        return Markup()
    images = [
        (
            image,
            grayscale_image(image.image[..., 0]),
            [_sheet(layer, number, image, index) for number, layer in enumerate(feature_maps.layers, start=1)],
        )
        for index, image in enumerate(feature_maps.images)
    ]
    return render_section("feature_maps", images=images)


def _sheet(layer: ConvolutionOutput, number: int, image: TestImage, index: int) -> Sheet:
    maps = layer.maps[index]
    height, width, filters = maps.shape
    step = -(-max(height, width) // MAX_SIDE_PIXELS)
    shown = maps[::step, ::step, :MAX_FILTERS]
    # All images share one scale, so that they can be compared.
    limit = float(np.abs(layer.maps).max()) or 1.0
    columns = min(shown.shape[-1], 8 if shown.shape[-1] <= 32 else 16)
    which = f"the first {MAX_FILTERS} of {filters} filters" if filters > MAX_FILTERS else counted(filters, "filter")
    strongest = int(np.abs(maps).reshape(-1, filters).max(axis=0).argmax()) + 1
    return Sheet(
        title=f"Convolution {number}",
        note=f"{which}, {height}{TIMES}{width} pixels each; full colour at ±{limit:.2g}",
        picture=feature_map_sheet(shown, limit=limit, columns=columns),
        alt=f"Output of {which} of convolution {number} for the {image.class_name}; filter {strongest} has the "
        "strongest output",
        columns=columns,
    )
