"""Feature maps: what every convolution makes of some images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from components.visualizer.report.format import TIMES, counted
from components.visualizer.report.images import ink, tiles

if TYPE_CHECKING:
    from components.visualizer.report.report_data import ReportData, Response

MOST_MAPS = 96
"""Filters of a layer that are shown; of more, only the first so many."""


MOST_PIXELS = 32
"""Of a map's longer side; of a larger one every second pixel is shown, or every third: the page is to stay small."""


@dataclass(frozen=True)
class LayerSheet:
    """The maps of one convolution for one image."""

    title: str
    note: str
    picture: str
    alt: str
    columns: int


@dataclass(frozen=True)
class ImageSheets:
    """One image, and what each convolution makes of it."""

    name: str
    row: int
    picture: str
    alt: str
    layers: tuple[LayerSheet, ...]


@dataclass(frozen=True)
class Maps:
    """What the section shows; no images if the model has no convolution."""

    images: tuple[ImageSheets, ...]


def tell_maps(story: ReportData) -> Maps:
    """Return the section."""
    if not story.responses:
        return Maps(())
    names = story.examples.class_names
    images = []
    for number, chosen in enumerate(story.chosen):
        name = names[chosen.label]
        layers = tuple(_sheet(layer, response, number, name) for layer, response in enumerate(story.responses, start=1))
        alt = f"Test image {chosen.row}, of class {name}"
        images.append(ImageSheets(name, chosen.row, ink(chosen.image[..., 0]), alt, layers))
    return Maps(tuple(images))


def _sheet(layer: int, response: Response, number: int, name: str) -> LayerSheet:
    maps = response.maps[number]
    height, width, filters = maps.shape
    apart = -(-max(height, width) // MOST_PIXELS)
    shown = maps[::apart, ::apart, :MOST_MAPS]
    # One scale for all images, so that they can be compared.
    limit = float(np.abs(response.maps).max()) or 1.0
    columns = min(shown.shape[-1], 8 if shown.shape[-1] <= 32 else 16)
    of = f"the first {MOST_MAPS} of {filters} filters" if filters > MOST_MAPS else counted(filters, "filter")
    strongest = int(np.abs(maps).reshape(-1, filters).max(axis=0).argmax()) + 1
    return LayerSheet(
        title=f"Convolution {layer}",
        note=f"{of}, {height}{TIMES}{width} pixels each; full colour at ±{limit:.2g}",
        picture=tiles(shown, limit=limit, columns=columns),
        alt=f"What {of} of convolution {layer} answer to the {name}; filter {strongest} answers most strongly",
        columns=columns,
    )
