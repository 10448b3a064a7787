"""The network: its layers, and the kernels of the first one."""

from typing import Any

import numpy as np
from markupsafe import Markup

from components.artifacts import Model
from components.base.formatting import counted
from components.html.format import TIMES, TextTable
from components.html.inline_images import feature_map_sheet, strip_attributes
from components.visualizer.network_kernels import NetworkKernels
from components.visualizer.report.sections import render_section
from components.visualizer.report_data import ReportData

MAX_KERNELS = 64
MAX_UNFOLDED_LAYERS = 24
COLUMNS = 8


def render_network(report: ReportData) -> Markup:
    """Return the section; empty if neither layers nor kernels can be shown."""
    model, kernels = report.model, report.kernels
    if not model.layers and kernels is None:
        return Markup()
    return render_section(
        "network",
        summary=layers_text(model),
        layers=layer_table(model),
        is_folded=len(model.layers) > MAX_UNFOLDED_LAYERS,
        kernels=kernels and _sheet(kernels),
    )


def layers_text(model: Model) -> str:
    """Return the number of layers and parameters."""
    parameters = counted(model.parameters, "parameter")
    if not model.layers:
        return f"The model has {parameters}."
    return f"The network has {counted(len(model.layers), 'layer')} and {parameters}."


def layer_table(model: Model) -> TextTable:
    """Return name, class, output shape and parameters of each layer; without rows for a linear model."""
    rows = tuple(
        (
            layer.name,
            layer.kind,
            TIMES.join("any" if side is None else str(side) for side in layer.output_shape),
            f"{layer.parameters:,}" if layer.parameters else "",
        )
        for layer in model.layers
    )
    return TextTable(("Layer", "Class", "Output", "Parameters"), rows)


def _sheet(kernels: NetworkKernels) -> dict[str, Any]:
    count, height, width, channels = kernels.kernels.shape
    shown = kernels.kernels[:MAX_KERNELS]
    if channels == 1:
        sheet = feature_map_sheet(np.moveaxis(shown[..., 0], 0, -1), limit=kernels.limit, columns=min(count, COLUMNS))
        images = [(Markup('src="{}"').format(sheet), min(count, COLUMNS))]
        colors = "Red is positive, blue is negative, and zero is transparent"
    else:
        rows = np.split(kernels.in_color()[:MAX_KERNELS], range(COLUMNS, len(shown), COLUMNS))
        images = [(strip_attributes(list(row)), len(row)) for row in rows]
        colors = "Zero is gray"
    which = f"The first {MAX_KERNELS} of {count} kernels" if count > MAX_KERNELS else counted(count, "kernel")
    return {
        "caption": f"{which} of the layer {kernels.layer}, {height}{TIMES}{width} pixels each. {colors}, "
        f"the full color at ±{kernels.limit:.2g}.",
        "images": [(attributes, 100 * columns / COLUMNS) for attributes, columns in images],
    }
