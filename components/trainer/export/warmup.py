"""Warm-up requests: TensorFlow Serving runs them when it loads a model, so that the first client does not wait.

It reads them from `assets.extra/tf_serving_warmup_requests`: a TFRecord file of at most 1,000 `PredictionLog` messages
(https://www.tensorflow.org/tfx/serving/saved_model_warmup).
"""

from __future__ import annotations

from pathlib import Path

from components.trainer.export.serving_model import INPUT, RawImages

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
BATCH_SIZES = (1, 32)
"""Images per request: a single client's image, and a batch that the server combines."""


def write_warmup(directory: Path, images: RawImages, *, signature: str) -> None:
    """Write requests with the first of some raw images into a SavedModel, for one of its signatures."""
    import tensorflow as tf

    path = directory / WARMUP_FILE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for batch_size in BATCH_SIZES:
            tensor = tf.make_tensor_proto(images[:batch_size]).SerializeToString()
            writer.write(_prediction_log(signature.encode(), tensor))


def _prediction_log(signature: bytes, tensor: bytes) -> bytes:
    """Return a serialized `tensorflow.serving.PredictionLog` with one request.

    The package that defines the message, tensorflow-serving-api, installs a second TensorFlow. The field numbers are
    those of prediction_log.proto, predict.proto and model.proto in github.com/tensorflow/serving.
    """
    model_spec = _field(3, signature)  # signature_name
    inputs_entry = _field(1, INPUT.encode()) + _field(2, tensor)  # key, value
    request = _field(1, model_spec) + _field(2, inputs_entry)  # model_spec, inputs
    predict_log = _field(1, request)
    return _field(6, predict_log)


def _field(number: int, content: bytes) -> bytes:
    """Encode a field of text, bytes or a message (https://protobuf.dev/programming-guides/encoding)."""
    length_delimited = 2
    return _varint(number << 3 | length_delimited) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Encode an integer in groups of seven bits, the lowest first; all groups but the last have the eighth bit set."""
    groups = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])
