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
from components.trainer.export import keras_file, litert, litert_int8, onnx_file, saved_model
from components.trainer.export.serving_model import (
    LABEL,
    PROBABILITIES,
    ExampleImages,
    Outputs,
    RawImages,
    ServingModel,
)


class Exporter(Protocol):
    """A module that writes one format and predicts with it."""

    TITLE: str
    """The format's name in messages."""
    FILE_NAME: str
    """The file or directory to write."""

    def write(self, model: ServingModel, path: Path, images: ExampleImages) -> None:
        """Write a new file or directory; equal weights and images give equal bytes. Some formats need no images."""

    def predict(self, path: Path, images: RawImages) -> Outputs:
        """Predict with the written model, in the format's own runtime."""


EXPORTERS: dict[ExportFormat, Exporter] = {
    "keras": keras_file,
    "saved_model": saved_model,
    "litert": litert,
    "litert_int8": litert_int8,
    "onnx": onnx_file,
}
REQUIRED_FORMATS: tuple[ExportFormat, ...] = ("keras", "saved_model")
"""The formats that the job itself uses: to evaluate, to draw feature maps, to predict and to serve."""
CHECK_IMAGES = 100
"""Raw images, at most, on which each format's predictions are compared."""
CALIBRATION_IMAGES = 500
"""Training images, at most, evenly spaced over their split, which determine the ranges of 8-bit integers."""
TOLERANCE = 1e-5
"""The largest accepted difference of a probability: other kernels add in another order."""
TOLERANCES: dict[ExportFormat, float] = {"litert_int8": 0.25}
"""Of formats that round. The largest differences were 0.03 for 100 and 0.08 for 6,000 images of MNIST."""


def export_model(
    model: ServingModel,
    formats: Iterable[ExportFormat],
    images: ExampleImages,
    context: Context,
    *,
    setting: str = "trainer.exports",
) -> tuple[Export, ...]:
    """Write each format below the context's output, and check its predictions; between two, check for termination.

    `setting` is the name of the setting that lists the formats, for error messages.

    Raises:
        JobError: if a format's probabilities differ from those of the network in memory by more than its tolerance, or
            its labels are not those of its highest probabilities.
    """
    import tensorflow as tf

    compute_exactly(tf)
    expected = model.predict(images.check)
    exports = []
    for name in formats:
        context.termination.check()
        exporter, tolerance = EXPORTERS[name], TOLERANCES.get(name, TOLERANCE)
        path = context.output / exporter.FILE_NAME
        exporter.write(model, path, images)
        outputs = exporter.predict(path, images.check)
        probabilities = outputs[PROBABILITIES]
        difference = float(np.abs(probabilities - expected).max())
        most_probable = probabilities.argmax(axis=1)
        # Written so that NaN fails the check.
        if not (difference <= tolerance and (outputs.get(LABEL, most_probable) == most_probable).all()):
            raise JobError(
                f"the {exporter.TITLE} {path.name} predicts {len(expected)} images differently from its network: "
                f"probabilities differ by up to {difference:.2g}",
                expected=f"at most {tolerance:g}, and the most probable classes as labels",
                remedy="report it as a bug" if name in REQUIRED_FORMATS else f"remove `{name}` from {setting}",
            )
        exports.append(
            Export(
                format=name,
                file=path.name,
                images=len(expected),
                largest_difference=difference,
                tolerance=tolerance,
                same_class=float((most_probable == expected.argmax(axis=1)).mean()),
            )
        )
    return tuple(exports)


def read_example_images(transformed: Stored[TransformedExamples]) -> ExampleImages:
    """Return the first validation images, to check exports with, and training images, to calibrate them with.

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
    train = inputs.splits.train
    rows = np.linspace(0, train.count - 1, min(CALIBRATION_IMAGES, train.count), dtype=np.int64)
    return ExampleImages(check=raw, calibration=read_raw(transformed, train, rows))


def _check_skew(graph: tuple[GraphOperation, ...], raw: RawImages, images: NDArray[np.float32]) -> None:
    """Raise ValueError if the served graph makes other inputs than those that the network is trained on."""
    import tensorflow as tf

    served = apply_tensorflow(graph, tf.constant(raw)).numpy()
    if served.shape != images.shape or not np.allclose(served, images, rtol=TOLERANCE, atol=TOLERANCE):
        raise ValueError("the transform graph does not make these images from the raw images")
