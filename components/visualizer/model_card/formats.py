"""The forms of a model: its files, what each takes, and what it gives back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.base.markdown import Markdown, code
from components.visualizer.report.charts import Table
from components.visualizer.report.format import counted, number

if TYPE_CHECKING:
    from components.artifacts import ExportFormat, Model

KINDS = {
    "keras": "convolutional network (Keras)",
    "linear": "linear model: one weight a pixel and class, and a softmax",
}


RUNTIMES: dict[ExportFormat, str] = {
    "keras": "Keras",
    "saved_model": "TensorFlow, TensorFlow Serving",
    "litert": "LiteRT",
    "onnx": "ONNX Runtime",
}


def form_table(model: Model) -> Table:
    """Return a row a file, relative to the Model artifact's own directory."""
    height, width, channels = model.image_shape
    raw = Markdown(f"`images`: raw images, `uint8 [batch, {height}, {width}]`, 0 to 255")
    probabilities = f"`float32 [batch, {len(model.class_names)}]`"
    rows = []
    for export in model.exports:
        file = f"{export.file}/" if export.format == "saved_model" else export.file
        off = f"{number(export.largest_difference, '.2g')} (at most {number(export.tolerance, 'g')})"
        label = "" if export.format == "keras" else "; `label`, `int64 [batch]`"
        rows.append(
            (
                code(file),
                RUNTIMES[export.format],
                raw,
                Markdown(f"`probabilities`, {probabilities}{label}"),
                f"{off}, {counted(export.images, 'image')}",
            )
        )
    if model.file not in {export.file for export in model.exports}:
        scaled = Markdown(f"scaled images, `float32 [batch, {height}, {width}, {channels}]`, 0 to 1")
        gives = {
            "keras": Markdown(f"the probability of each class, {probabilities}"),
            "linear": Markdown("nothing by itself: it holds `weights` and `bias`"),
        }
        rows.append((code(model.file), "", scaled, gives[model.format], ""))
    return Table(("File", "For", "Takes", "Gives back", "Difference"), tuple(rows))
