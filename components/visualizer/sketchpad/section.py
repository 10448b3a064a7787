"""The pad as a section of an HTML page: its markup, its style, and its script with the network inside."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.visualizer.sketchpad.export import ExportedNetwork, export_linear, export_network
from components.visualizer.sketchpad.ink_layout import Convention, measure_convention

if TYPE_CHECKING:
    import numpy as np
    from jinja2 import Environment
    from numpy.typing import NDArray

    from components.artifacts import Model, Stored

SCRIPTS = ("network.js", "normalize.js", "surface.js", "display.js", "sketchpad.js")
MOST_BYTES = 1_200_000
"""Of weights, which take a third more as text: a report is to be sent by mail."""
MEASURED = 1000 * 28 * 28
"""Pixels of images from which it is told how images lie."""


@dataclass(frozen=True)
class PadSection:
    """What a page needs to have a pad; nothing in it asks for anything outside of the page."""

    html: str
    """A `section` with the id `pad`."""
    css: str
    """Takes --ink, --paper, --accent (or --c1), --muted, --rule and --sans from the page, if it defines them."""
    script: str
    """To be run once the section is there; leaves no names behind."""


def pad_section(model: Stored[Model], network: Any, images: NDArray[np.float32]) -> PadSection | None:
    """Return the pad of a model; None if a page cannot run it, or would be too large with it.

    Args:
        model: the model that answers; its `test_time_shift` is the page's too.
        network: what `load_network` returns of it; a `linear` model has none.
        images: what it was trained on or is tested on, scaled float32 [count, height, width, 1]. The first
            million pixels tell how images lie, and so how a drawing is scaled and placed.
    """
    stated = model.artifact
    exported = export_network(network) if stated.format == "keras" else export_linear(model)
    if exported is None or exported.input_shape[2] != 1 or len(exported.weights) > MOST_BYTES:
        return None
    convention = measure_convention(images[: max(1, MEASURED // images[0].size)])
    shift = stated.test_time_shift
    html = (
        _environment()
        .get_template("sketchpad.html.j2")
        .render(
            shape=stated.image_shape,
            convention=convention,
            shift=shift,
            moves=2 * shift * (shift + 1) + 1,
        )
    )
    script = pad_script(exported, convention, classes=stated.class_names, test_time_shift=shift)
    return PadSection(html=html, css=_asset("sketchpad.css"), script=script)


def pad_script(
    exported: ExportedNetwork, convention: Convention, *, classes: tuple[str, ...], test_time_shift: int
) -> str:
    """Return the script that starts the pad, with the network inside."""
    network = f"loadNetwork({network_literal(exported, classes=classes, test_time_shift=test_time_shift)})"
    start = f'startPad(document.getElementById("pad"), {network}, {_literal(asdict(convention))});'
    return "\n".join(['(() => {\n"use strict";', *map(_asset, SCRIPTS), f"{start}\n}})();\n"])


def network_literal(exported: ExportedNetwork, *, classes: tuple[str, ...], test_time_shift: int) -> str:
    """Return the two arguments of network.js's `loadNetwork`, as JavaScript."""
    description = {
        "input": exported.input_shape,
        "layers": exported.layers,
        "shift": test_time_shift,
        "classes": classes,
    }
    return f"{_literal(description)}, {_literal(exported.base64)}"


def _literal(value: Any) -> str:
    """Return JSON that may stand in a `script` element: nothing in it can end that element."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
