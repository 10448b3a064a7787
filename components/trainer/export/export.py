"""Export: write each format, and compare its predictions with those of the network in memory."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from components.artifacts import LOSSY_FORMATS, Export, ExportFormat, GraphOperation, Stored, TransformedExamples
from components.base.component import Context
from components.base.errors import ConfigError, DataError, JobError
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
CALIBRATION_BATCH = 50
"""Training images read, and predicted, at a time; limits the memory of images and activations."""
TOLERANCE = 1e-5
"""The largest accepted difference of a probability: other kernels add in another order."""
MIN_SAME_CLASS = 0.9
"""The smallest accepted fraction of images that a lossy format and the network assign to the same class.

Probabilities may differ by any amount: how far rounding moves them depends on the weights and images.
"""
NEAR_TIE = 0.1
"""A class counts as the same if the network's probability of it is at most this far below its highest one. For an
untrained network, this holds for nearly every class."""


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
        JobError: if the probabilities of an exact format differ from those of the network in memory by more than
            `TOLERANCE`, or labels are not the most probable classes.
        ConfigError: if a lossy format gives other classes to too many images.
    """
    import tensorflow as tf

    compute_exactly(tf)
    expected = model.predict(images.check)
    exports = []
    for name in formats:
        context.termination.check()
        exporter, is_lossy = EXPORTERS[name], name in LOSSY_FORMATS
        path = context.output / exporter.FILE_NAME
        exporter.write(model, path, images)
        outputs = exporter.predict(path, images.check)
        probabilities = outputs[PROBABILITIES]
        difference = float(np.abs(probabilities - expected).max())
        most_probable = probabilities.argmax(axis=1)
        similar = _similar_classes(expected, most_probable)
        # Written so that NaN fails the check.
        is_close = np.isfinite(difference) and similar >= MIN_SAME_CLASS if is_lossy else difference <= TOLERANCE
        if not (is_close and (outputs.get(LABEL, most_probable) == most_probable).all()):
            limit = f"the same class for at least {MIN_SAME_CLASS:.0%}" if is_lossy else f"at most {TOLERANCE:g}"
            # A poor result of a lossy format is not a fault: the same export fails again.
            raise (ConfigError if is_lossy else JobError)(
                f"the {exporter.TITLE} {path.name} predicts {len(expected)} images differently from its network: "
                f"probabilities differ by up to {difference:.2g}, and {similar:.0%} have the same class, or one that "
                "is nearly as probable",
                expected=f"{limit}, and the most probable classes as labels",
                remedy="report it as a bug" if name in REQUIRED_FORMATS else f"remove `{name}` from {setting}",
            )
        exports.append(
            Export(
                format=name,
                file=path.name,
                images=len(expected),
                largest_difference=difference,
                tolerance=1.0 if is_lossy else TOLERANCE,
                same_class=float((most_probable == expected.argmax(axis=1)).mean()),
            )
        )
    return tuple(exports)


def _similar_classes(expected: NDArray[np.float32], classes: NDArray[np.int64]) -> float:
    """Return the fraction of images whose class is the network's most probable one, or nearly as probable."""
    probabilities = np.take_along_axis(expected, classes[:, None], axis=1)[:, 0]
    return float((probabilities >= expected.max(axis=1) - NEAR_TIE).mean())


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

    def calibration() -> Iterator[RawImages]:
        batches = (rows[first : first + CALIBRATION_BATCH] for first in range(0, len(rows), CALIBRATION_BATCH))
        return (read_raw(transformed, train, batch) for batch in batches)

    return ExampleImages(check=raw, calibration=calibration)


def _check_skew(graph: tuple[GraphOperation, ...], raw: RawImages, images: NDArray[np.float32]) -> None:
    """Raise ValueError if the served graph makes other inputs than those that the network is trained on."""
    import tensorflow as tf

    served = apply_tensorflow(graph, tf.constant(raw)).numpy()
    if served.shape != images.shape or not np.allclose(served, images, rtol=TOLERANCE, atol=TOLERANCE):
        raise ValueError("the transform graph does not make these images from the raw images")
