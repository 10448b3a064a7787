"""Export: write each format, and compare its predictions with those of the network in memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from components.artifacts import Export, ExportFormat, GraphOperation, Stored, TransformedExamples
from components.base.component import Context
from components.base.errors import DataError, JobError
from components.inference.split_images import open_scaled, read_raw
from components.inference.transform_graph import apply_tensorflow
from components.runtime.tensorflow import compute_exactly
from components.trainer.export import keras_file, litert, onnx_file, saved_model
from components.trainer.export.serving_model import LABEL, PROBABILITIES, Outputs, RawImages, ServingModel


class Exporter(Protocol):
    """A module that writes one format and predicts with it."""

    TITLE: str
    """The format's name in messages."""
    FILE_NAME: str
    """The file or directory to write."""

    def write(self, model: ServingModel, path: Path, images: RawImages) -> None:
        """Write a new file or directory; equal weights give equal bytes. Some formats contain the example images."""

    def predict(self, path: Path, images: RawImages) -> Outputs:
        """Predict with the written model, in the format's own runtime."""


EXPORTERS: dict[ExportFormat, Exporter] = {
    "keras": keras_file,
    "saved_model": saved_model,
    "litert": litert,
    "onnx": onnx_file,
}
REQUIRED_FORMATS: tuple[ExportFormat, ...] = ("keras", "saved_model")
"""The formats that the job itself uses: to evaluate, to draw feature maps, to predict and to serve."""
CHECK_IMAGES = 100
"""Raw images, at most, on which each format's predictions are compared."""
TOLERANCE = 1e-5
"""The largest accepted difference of a probability: other kernels add in another order."""


def export_model(
    model: ServingModel,
    formats: Iterable[ExportFormat],
    images: RawImages,
    context: Context,
    *,
    setting: str = "trainer.exports",
) -> tuple[Export, ...]:
    """Write each format below the context's output, and check its predictions; between two, check for termination.

    `setting` is the name of the setting that lists the formats, for error messages.

    Raises:
        JobError: if a format's probabilities differ from those of the network in memory by more than `TOLERANCE`, or
            its labels are not those of its highest probabilities.
    """
    import tensorflow as tf

    compute_exactly(tf)
    expected = model.predict(images)
    exports = []
    for name in formats:
        context.termination.check()
        exporter = EXPORTERS[name]
        path = context.output / exporter.FILE_NAME
        exporter.write(model, path, images)
        outputs = exporter.predict(path, images)
        probabilities = outputs[PROBABILITIES]
        difference = float(np.abs(probabilities - expected).max())
        most_probable = probabilities.argmax(axis=1)
        # Written so that NaN fails the check.
        if not (difference <= TOLERANCE and (outputs.get(LABEL, most_probable) == most_probable).all()):
            raise JobError(
                f"the {exporter.TITLE} {path.name} predicts {len(images)} images differently from its network: "
                f"probabilities differ by up to {difference:.2g}",
                expected=f"at most {TOLERANCE:g}, and the most probable classes as labels",
                remedy="report it as a bug" if name in REQUIRED_FORMATS else f"remove `{name}` from {setting}",
            )
        exports.append(
            Export(format=name, file=path.name, images=len(images), largest_difference=difference, tolerance=TOLERANCE)
        )
    return tuple(exports)


def raw_check_images(transformed: Stored[TransformedExamples]) -> RawImages:
    """Return the first validation images as raw images, to check exports with.

    Called before training, because it fails where a model of these images cannot be exported.

    Raises:
        DataError: if the transform graph did not produce the images, or a format cannot apply it.
    """
    inputs = transformed.artifact
    try:
        raw = read_raw(transformed, inputs.splits.validation, slice(CHECK_IMAGES))
        keras_file.keras_inputs(inputs.graph, raw.shape[1:])
        _check_skew(inputs.graph, raw, open_scaled(transformed, inputs.splits.validation)[: len(raw)])
    except ValueError as error:
        raise DataError(
            f"a model of these images could not be exported: {error}",
            expected="scaled images that the stated transform graph computes from raw images of integers from 0 to 255",
            remedy="correct the transform, or its graph",
        ) from error
    return raw


def _check_skew(graph: tuple[GraphOperation, ...], raw: RawImages, images: NDArray[np.float32]) -> None:
    """Raise ValueError if the served graph makes other inputs than those that the network is trained on."""
    import tensorflow as tf

    served = apply_tensorflow(graph, tf.constant(raw)).numpy()
    if served.shape != images.shape or not np.allclose(served, images, rtol=TOLERANCE, atol=TOLERANCE):
        raise ValueError("the transform graph does not make these images from the raw images")
