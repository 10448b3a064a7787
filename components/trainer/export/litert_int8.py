"""The LiteRT model with 8-bit integers: weights and activations are int8, images and probabilities as in `litert`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from components.trainer.export import litert
from components.trainer.export.folding import fold_network
from components.trainer.export.serving_model import ExampleImages, ServingModel

TITLE = "LiteRT model with 8-bit integers"
FILE_NAME = "model_int8.tflite"

predict = litert.predict


def write(model: ServingModel, path: Path, images: ExampleImages) -> None:
    """Write a LiteRT file whose operations compute in int8, with a scale for each output channel of the weights.

    The range of an activation is that of its values for the calibration images. Operations without an int8 kernel
    compute in float32. Without calibration, the converter leaves weights of fewer than 1,024 elements in float32.
    """
    import tensorflow as tf

    settings = {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "representative_dataset": lambda: ([batch] for batch in images.calibration()),
        "exclude_conversion_metadata": True,
    }
    folded = replace(model, network=fold_network(model.network))
    path.write_bytes(_without_names(litert.convert(folded, path.parent, settings)))


def _without_names(content: bytes) -> bytes:
    """Return the model without the names of its tensors, a tenth of a small file; the signature has its own names."""
    from tensorflow.lite.tools import flatbuffer_utils

    model: Any = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            tensor.name = None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
