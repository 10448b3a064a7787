"""The LiteRT model (formerly TensorFlow Lite): one file for phones, browsers and small boards."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.base.standard_error import quiet_stderr
from components.inference.litert import open_litert
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
    """Predict in TensorFlow's LiteRT interpreter."""
    return open_litert(path)(**{INPUT: images})
