"""The LiteRT model (formerly TensorFlow Lite): one file for phones, browsers and small boards."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.runtime.tensorflow import quiet_stderr
from components.trainer.export.serving_model import INPUT, Outputs, PredictFunction, RawImages, ServingModel

TITLE = "LiteRT model"
FILE_NAME = "model.tflite"


def write(model: ServingModel, path: Path, images: RawImages) -> None:  # noqa: ARG001
    """Write a LiteRT file in float32 with the SavedModel's signature `serving_default`."""
    import tensorflow as tf

    with _temporary_files_beside(path), quiet_stderr():
        function = model.serve.get_concrete_function()
        path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([function], model.as_module()).convert())


def load(path: Path) -> PredictFunction:
    """Load the file in TensorFlow's LiteRT interpreter, with one thread.

    Without XNNPACK, which would print to standard error.
    """
    import tensorflow as tf

    with warnings.catch_warnings():
        # TensorFlow 2.21 deprecates this interpreter but contains it; the package that replaces it is 59 MB.
        warnings.filterwarnings("ignore", "(?s).*tf.lite.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(
            model_path=str(path),
            num_threads=1,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )

    def predict(images: RawImages) -> Outputs:
        outputs: Outputs = interpreter.get_signature_runner()(**{INPUT: images})
        return outputs

    return predict


@contextmanager
def _temporary_files_beside(path: Path) -> Iterator[None]:
    """Create temporary files beside a path while the block runs.

    The converter writes a temporary SavedModel. The disk of the default folder may be too small, and is not the disk
    whose free space is reported in an error.
    """
    default = tempfile.tempdir
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".scratch-") as scratch:
        tempfile.tempdir = scratch
        try:
            yield
        finally:
            tempfile.tempdir = default
