"""The LiteRT model (formerly TensorFlow Lite): one file for phones, browsers and small boards."""

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.base.standard_error import quiet_stderr
from components.runtime.tensorflow import without_wildcards
from components.trainer.export.serving_model import INPUT, ExampleImages, Outputs, RawImages, ServingModel

TITLE = "LiteRT model"
FILE_NAME = "model.tflite"


def write(model: ServingModel, path: Path, images: ExampleImages) -> None:  # noqa: ARG001
    """Write a LiteRT file in float32 with the SavedModel's signature `serving_default`."""
    path.write_bytes(convert(model, path.parent))


def convert(model: ServingModel, directory: Path, settings: Mapping[str, Any] | None = None) -> bytes:
    """Return a LiteRT model, converted with these attributes of TFLiteConverter; temporary files are in `directory`."""
    import tensorflow as tf

    default = tempfile.tempdir
    folder = tempfile.TemporaryDirectory(dir=directory, prefix=".scratch-")
    with folder as scratch, without_wildcards(Path(scratch)) as plain:
        # The converter writes a temporary SavedModel. The disk of the default folder may be too small, and is not the
        # disk whose free space is reported in an error.
        tempfile.tempdir = str(plain)
        try:
            with quiet_stderr():
                function = model.serve.get_concrete_function()
                converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model.as_module())
                for name, value in (settings or {}).items():
                    setattr(converter, name, value)
                converted: bytes = converter.convert()
                return converted
        finally:
            tempfile.tempdir = default


def predict(path: Path, images: RawImages) -> Outputs:
    """Predict in TensorFlow's LiteRT interpreter, with one thread; without XNNPACK, which prints to standard error."""
    import tensorflow as tf

    with warnings.catch_warnings():
        # TensorFlow 2.21 deprecates this interpreter but contains it; the package that replaces it is 59 MB.
        warnings.filterwarnings("ignore", "(?s).*tf.lite.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(
            model_path=str(path),
            num_threads=1,
            experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    outputs: Outputs = interpreter.get_signature_runner()(**{INPUT: images})
    return outputs
