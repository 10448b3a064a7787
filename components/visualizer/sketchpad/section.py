"""The sketchpad as a section of an HTML page: markup, style, and a script that contains the network."""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.artifacts import GraphOperation, Model, Stored
from components.base.text import printable
from components.html.templates import render_html
from components.inference.split_images import SplitImages
from components.visualizer.report_data import EmbeddedSection
from components.visualizer.sketchpad.export import ExportedNetwork, export_linear, export_network
from components.visualizer.sketchpad.ink_layout import measure_ink_layout
from components.visualizer.sketchpad.operations import UnsupportedLayerError

FOLDER = Path(__file__).parent
SCRIPTS = ("network.js", "normalize.js", "surface.js", "display.js", "sketchpad.js")
MAX_WEIGHT_BYTES = 1_200_000
"""In base64 they take a third more; the report should stay small enough for an email."""


def render_sketchpad(
    model: Stored[Model],
    network: Any,
    pictures: SplitImages | NDArray[np.float32],
    *,
    graph: Sequence[GraphOperation] = (),
    max_weight_bytes: int = MAX_WEIGHT_BYTES,
) -> EmbeddedSection:
    """Return the section of a model; if the page cannot run it, a section with the reason.

    `network` is what `load_network` returns, and None for a `linear` model. The first of the `pictures` determine the
    scale and position of drawings; `graph` converts pictures to the network's input. The style uses --ink, --paper,
    --accent (or --c1), --muted, --rule and --sans of the page where it defines them. The script must run after the
    section is in the document; it defines no global names.
    """
    artifact = model.artifact
    try:
        standardize = _standardize(graph)
        exported = export_network(network) if artifact.format == "keras" else export_linear(model)
    except UnsupportedLayerError as error:
        return _without_sketchpad(f"it cannot run {error}")
    if (channels := exported.input_shape[2]) != 1:
        return _without_sketchpad(f"drawings have one channel, and the model takes {channels}")
    if (size := len(exported.weights)) > max_weight_bytes:
        limit = f"{max_weight_bytes / 1e6:.1f} MB"
        return _without_sketchpad(f"the weights would take {size / 1e6:.1f} MB, and at most {limit} are included")
    layout = measure_ink_layout(pictures[: max(1, 1000 * 28 * 28 // pictures[0].size)])
    shift = artifact.test_time_shift
    html = render_html(
        FOLDER,
        "sketchpad.html.j2",
        shape=artifact.image_shape,
        layout=layout,
        after_relu=any(layer.get("maps") and layer["kind"] == "relu" for layer in exported.layers),
        shift=shift,
        shifted_images=2 * shift * (shift + 1) + 1,
    )
    arguments = network_literal(exported, classes=artifact.class_names, test_time_shift=shift, **standardize)
    start = (
        f'startSketchpad(document.getElementById("sketchpad"), loadNetwork({arguments}), {_literal(asdict(layout))});'
    )
    script = "\n".join(['(() => {\n"use strict";', *map(_asset, SCRIPTS), f"{start}\n}})();\n"])
    return EmbeddedSection(html=html, css=_asset("sketchpad.css"), script=script)


def _without_sketchpad(reason: str) -> EmbeddedSection:
    html = render_html(FOLDER, "no_sketchpad.html.j2", reason=printable(reason))
    return EmbeddedSection(html=html, css="", script="")


def _standardize(graph: Sequence[GraphOperation]) -> dict[str, Any]:
    """Return the scale and offset of the first channel as a setting of network.js.

    Raises:
        UnsupportedLayerError: if there are other operations.
    """
    scale, offset = 1.0, 0.0
    for operation in graph:
        match operation:
            case GraphOperation(op="add", by=(summand, *_)):
                offset += summand
            case GraphOperation(op="multiply", by=(factor, *_)):
                scale, offset = scale * factor, offset * factor
            case _:
                raise UnsupportedLayerError(f"the transform’s operation {operation.name or operation.op}")
    return {"standardize": {"scale": scale, "offset": offset}} if graph else {}


def network_literal(
    exported: ExportedNetwork, *, classes: tuple[str, ...], test_time_shift: int, **settings: Any
) -> str:
    """Return the two arguments of `loadNetwork` (network.js) as JavaScript."""
    settings |= {"shift": test_time_shift, "classes": [printable(name) for name in classes]}
    description = {"input": exported.input_shape, "layers": exported.layers, **settings}
    return f"{_literal(description)}, {_literal(base64.b64encode(exported.weights).decode())}"


def _literal(value: Any) -> str:
    """Return JSON that cannot end the `script` element that contains it."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
