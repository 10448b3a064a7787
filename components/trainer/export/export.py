"""Export a trained network: write each form, read it back, and hold its answers against the network in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.artifacts import Export
from components.base.errors import DataError, JobError
from components.inference.transform_graph import invert_numpy
from components.runtime.tensorflow import compute_exactly
from components.trainer.export import keras_file, litert, onnx_file, saved_model
from components.trainer.export.keras_file import keras_front
from components.trainer.export.serving_model import LABEL, PROBABILITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from components.artifacts import ExportFormat, GraphOperation
    from components.base.component import Context
    from components.trainer.export.exporter import Form
    from components.trainer.export.serving_model import ServingModel

FORMS: dict[ExportFormat, tuple[Form, str]] = {
    "keras": (keras_file, "model.keras"),
    "saved_model": (saved_model, "saved_model"),
    "litert": (litert, "model.tflite"),
    "onnx": (onnx_file, "model.onnx"),
}
"""The module of each form, and the file or directory that it writes."""
REQUIRED_FORMATS: tuple[ExportFormat, ...] = ("keras", "saved_model")
"""What the job itself goes on with: to judge the model, to draw its feature maps, to answer, to serve."""
CHECK_IMAGES = 100
"""Raw images that each form is tried on."""
TOLERANCE = 1e-5
"""Probabilities may differ by so much: other kernels add up in another order."""


def export(
    deployable: ServingModel,
    formats: Iterable[ExportFormat],
    images: NDArray[np.uint8],
    context: Context,
    *,
    asked_by: str = "trainer.exports",
) -> tuple[Export, ...]:
    """Write each form below the context's output, and try it on raw images.

    Args:
        deployable: what to write.
        formats: which forms.
        images: some raw ones, [count, height, width].
        context: where to write; asked between two forms whether to end.
        asked_by: what says which forms, for a message.

    Raises:
        JobError: if a form's probabilities differ from those of the network in memory by more than `TOLERANCE`, or its
            labels are not those of its highest probabilities.
    """
    import tensorflow as tf

    compute_exactly(tf)
    expected = deployable.answer(images)
    exports = []
    for name in formats:
        context.termination.check()
        form, file = FORMS[name]
        form.write(deployable, context.output / file, images)
        answers = form.read(context.output / file)(images)
        probabilities = answers[PROBABILITIES]
        difference = float(np.abs(probabilities - expected).max())
        most_probable = probabilities.argmax(axis=1)
        # Said so that what is not a number is wrong too.
        right = difference <= TOLERANCE and bool((answers.get(LABEL, most_probable) == most_probable).all())
        if not right:
            raise JobError(
                f"the {form.TITLE} {file} answers {len(images)} images otherwise than the network that it was made of: "
                f"probabilities differ by up to {difference:.2g}",
                expected=f"at most {TOLERANCE:g}, and as labels the most probable classes",
                remedy="report it as a defect" if name in REQUIRED_FORMATS else f"take `{name}` out of {asked_by}",
            )
        exports.append(
            Export(format=name, file=file, images=len(images), largest_difference=difference, tolerance=TOLERANCE)
        )
    return tuple(exports)


def raw_images(graph: tuple[GraphOperation, ...], scaled: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the raw images of which a transform graph made scaled ones, if a network of these can be exported.

    Worth knowing before a network is trained.

    Raises:
        DataError: if the graph did not make them, or not every form can apply it.
    """
    try:
        raw = invert_numpy(graph, scaled)
        keras_front(graph, raw.shape[1:])
    except ValueError as error:
        raise DataError(
            f"a model of these images could not be exported: {error}",
            expected="images that the stated transform graph makes of raw ones, of whole numbers from 0 to 255",
            remedy="correct the transform, or let it state what it does",
        ) from error
    return raw
