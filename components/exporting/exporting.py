"""Export a trained network: write each form, read it back, and hold its answers against the network in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import Export
from components.errors import JobError
from components.exporting import keras_file, litert, onnx_file, saved_model
from components.runtime.tensorflow import compute_exactly

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from components.artifacts import ExportFormat
    from components.component import Context
    from components.exporting.deployable import Deployable, Form

FORMS: dict[ExportFormat, tuple[Form, str]] = {
    "keras": (keras_file, "model.keras"),
    "saved_model": (saved_model, "saved_model"),
    "litert": (litert, "model.tflite"),
    "onnx": (onnx_file, "model.onnx"),
}
"""The module of each form, and the file or directory that it writes."""
ALWAYS: tuple[ExportFormat, ...] = ("keras", "saved_model")
"""What the job itself goes on with: to judge the model, to draw its feature maps, to answer, to serve."""
TRIED = 100
"""Raw images that each form is tried on."""
TOLERANCE = 1e-5
"""Probabilities may differ by so much: other kernels add up in another order."""


def export(
    deployable: Deployable, formats: Iterable[ExportFormat], images: NDArray[np.uint8], context: Context
) -> tuple[Export, ...]:
    """Write each form below the context's output, and try it on raw images.

    Args:
        deployable: what to write.
        formats: which forms.
        images: some raw ones, [count, height, width].
        context: where to write; asked between two forms whether to end.

    Raises:
        JobError: if a form's answers differ from those of the network in memory by more than `TOLERANCE`.
    """
    import tensorflow as tf

    compute_exactly(tf)
    expected = deployable.answer(images)
    exports = []
    for name in formats:
        context.termination.check()
        form, file = FORMS[name]
        form.write(deployable, context.output / file, images)
        difference = float(np.abs(form.read(context.output / file)(images) - expected).max())
        if not difference <= TOLERANCE:  # also if it is not a number
            raise JobError(
                f"the {form.TITLE} {file} answers {len(images)} images otherwise than the network that it was made of: "
                f"probabilities differ by up to {difference:.2g}",
                expected=f"at most {TOLERANCE:g}",
                remedy="report it as a defect" if name in ALWAYS else f"take `{name}` out of trainer.exports",
            )
        exports.append(
            Export(format=name, file=file, images=len(images), largest_difference=difference, tolerance=TOLERANCE)
        )
    return tuple(exports)
