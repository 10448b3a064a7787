"""Requests that TensorFlow Serving answers by itself once it has a model, so that the first client need not wait.

It looks for them in `assets.extra/tf_serving_warmup_requests`: a TFRecord file of at most 1,000 `PredictionLog`
messages (https://www.tensorflow.org/tfx/serving/saved_model_warmup).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.trainer.export.serving_model import INPUT

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
BATCHES = (1, 32)
"""Images of each request: one person's, and what the server's batching puts together."""


def write_warmup(directory: Path, images: NDArray[np.uint8], *, signature: str) -> None:
    """Write requests of real images into a SavedModel.

    Args:
        directory: of the SavedModel.
        images: raw ones [count, height, width]; the first ones are asked about.
        signature: which one the requests are for.
    """
    import tensorflow as tf

    log = _prediction_log()
    path = directory / WARMUP_FILE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for batch in BATCHES:
            message = log()
            request = message.predict_log.request
            request.model_spec.signature_name = signature
            request.inputs.add(key=INPUT, value=tf.make_tensor_proto(images[:batch]).SerializeToString())
            writer.write(message.SerializeToString(deterministic=True))


def _prediction_log() -> Any:
    """Return the message class `tensorflow.serving.PredictionLog`, as far as it is needed here.

    The package that has it whole, tensorflow-serving-api, would bring a second TensorFlow. Names and numbers are
    those of prediction_log.proto, predict.proto and model.proto in github.com/tensorflow/serving. On the wire a map is
    its entries, and a message within one, here the TensorProto, is its bytes.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    package = "tensorflow.serving"
    file = descriptor_pb2.FileDescriptorProto(name="warmup.proto", package=package, syntax="proto3")

    def message(name: str, *fields: tuple[int, str, str], repeated: str = "") -> None:
        described = file.message_type.add(name=name)
        for number, field, kind in fields:
            added = described.field.add(name=field, number=number)
            added.label = added.LABEL_REPEATED if field == repeated else added.LABEL_OPTIONAL
            if kind in ("string", "bytes"):
                added.type = added.TYPE_STRING if kind == "string" else added.TYPE_BYTES
            else:
                added.type, added.type_name = added.TYPE_MESSAGE, f".{package}.{kind}"

    message("PredictionLog", (6, "predict_log", "PredictLog"))
    message("PredictLog", (1, "request", "PredictRequest"))
    message("PredictRequest", (1, "model_spec", "ModelSpec"), (2, "inputs", "InputsEntry"), repeated="inputs")
    message("ModelSpec", (3, "signature_name", "string"))
    message("InputsEntry", (1, "key", "string"), (2, "value", "bytes"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.PredictionLog"))
