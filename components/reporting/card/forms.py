"""The forms of a model: its files, what each takes, and what it gives back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.reporting.charts import Table
from components.reporting.markdown import Markdown, code

if TYPE_CHECKING:
    from components.artifacts import Model

KINDS = {
    "keras": "convolutional network (Keras)",
    "linear": "linear model: one weight a pixel and class, and a softmax",
}


def form_table(model: Model) -> Table:
    """Return a row a file, relative to the Model artifact's own directory."""
    height, width, channels = model.image_shape
    scaled = Markdown(f"scaled images, `float32 [batch, {height}, {width}, {channels}]`, 0 to 1")
    probabilities = f"`float32 [batch, {len(model.class_names)}]`"
    gives = {
        "keras": Markdown(f"the probability of each class, {probabilities}"),
        "linear": Markdown("nothing by itself: it holds `weights` and `bias`"),
    }
    rows = [(code(model.file), scaled, gives[model.format])]
    if model.saved_model is not None:
        raw = Markdown(f"`images`: raw images, `uint8 [batch, {height}, {width}]`, 0 to 255")
        rows.append(
            (
                code(f"{model.saved_model}/"),
                raw,
                Markdown(f"`probabilities`, {probabilities}; `label`, `int64 [batch]`"),
            )
        )
    return Table(("File", "Takes", "Gives back"), tuple(rows))
