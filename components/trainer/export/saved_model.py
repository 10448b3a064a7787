"""The SavedModel: TensorFlow loads it without other code, and TensorFlow Serving serves it."""

import re
from pathlib import Path

from components.runtime.tensorflow import without_wildcards
from components.trainer.export.serving_model import INPUT, ExampleImages, Outputs, RawImages, ServingModel

TITLE = "SavedModel"
FILE_NAME = "saved_model"
SIGNATURE = "serving_default"
"""The signature that is used if a client names none."""
NUMBERED_FUNCTION = re.compile(r'(?<=: ")(__inference_\w+_)(\d+)(?=")', re.ASCII)
"""In the text form of a SavedModel."""
CAPTURE_NAME = "_user_specified_name"
"""The attribute with TensorFlow's name for a captured variable: a number."""


def write(model: ServingModel, path: Path, images: ExampleImages) -> None:
    """Write a SavedModel whose default signature takes raw images, with warm-up requests.

    The input is `images`, raw images, uint8; the outputs are `probabilities`, float32 [batch, classes], and
    `label`, int64 [batch].
    """
    import tensorflow as tf

    tf.saved_model.save(model.as_module(), path, signatures={SIGNATURE: model.serve})
    _make_reproducible(path)
    _write_warmup_requests(path / "assets.extra/tf_serving_warmup_requests", images.check)


def predict(path: Path, images: RawImages) -> Outputs:
    """Predict with TensorFlow."""
    import tensorflow as tf

    with without_wildcards(path) as plain:
        loaded = tf.saved_model.load(str(plain))
    outputs = loaded.signatures[SIGNATURE](**{INPUT: tf.constant(images)})
    return {name: values.numpy() for name, values in outputs.items()}


def _make_reproducible(directory: Path) -> None:
    """Remove what differs between two saves of the same network.

    The names of traced functions and captured variables contain numbers that count what the process created before.
    `fingerprint.pb`, which loaders do not need, is random.
    """
    from google.protobuf import text_format
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    (directory / "fingerprint.pb").unlink(missing_ok=True)
    path = directory / "saved_model.pb"
    text = text_format.MessageToString(SavedModel.FromString(path.read_bytes()))
    numbers = sorted({int(number) for _, number in NUMBERED_FUNCTION.findall(text)})
    text = NUMBERED_FUNCTION.sub(lambda found: f"{found[1]}{numbers.index(int(found[2]))}", text)
    saved = text_format.Parse(text, SavedModel())
    for meta_graph in saved.meta_graphs:
        functions = meta_graph.graph_def.library.function
        for function in functions:
            for argument in function.arg_attr.values():
                if CAPTURE_NAME in argument.attr and argument.attr[CAPTURE_NAME].s.isdigit():
                    argument.attr[CAPTURE_NAME].s = b""
        functions.sort(key=lambda function: function.signature.name)
    path.write_bytes(saved.SerializeToString(deterministic=True))


def _write_warmup_requests(path: Path, images: RawImages) -> None:
    """Write requests that TensorFlow Serving runs when it loads the model, so that the first client does not wait.

    It reads a TFRecord file of at most 1,000 `tensorflow.serving.PredictionLog` messages
    (https://www.tensorflow.org/tfx/serving/saved_model_warmup). The package that defines the message,
    tensorflow-serving-api, installs a second TensorFlow. The field numbers are those of prediction_log.proto,
    predict.proto and model.proto in github.com/tensorflow/serving.
    """
    import tensorflow as tf

    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for batch_size in (1, 32):  # a single client's image, and a batch that the server combines
            tensor = tf.make_tensor_proto(images[:batch_size]).SerializeToString()
            model_spec = _field(3, SIGNATURE.encode())  # signature_name
            inputs_entry = _field(1, INPUT.encode()) + _field(2, tensor)  # key, value
            request = _field(1, model_spec) + _field(2, inputs_entry)  # model_spec, inputs
            predict_log = _field(1, request)
            writer.write(_field(6, predict_log))


def _field(number: int, content: bytes) -> bytes:
    """Encode a field of text, bytes or a message (https://protobuf.dev/programming-guides/encoding)."""
    length_delimited = 2
    return _varint(number << 3 | length_delimited) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Encode an integer in groups of seven bits, the lowest first; all groups but the last have the eighth bit set."""
    groups = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])
