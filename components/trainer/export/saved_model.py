"""The SavedModel: TensorFlow loads it without other code, and TensorFlow Serving serves it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.trainer.export.serving_model import INPUT, Outputs, PredictFunction, RawImages, ServingModel
from components.trainer.export.warmup import write_warmup

TITLE = "SavedModel"
FILE_NAME = "saved_model"
SIGNATURE = "serving_default"
"""The signature that is used if a client names none."""
NUMBERED_FUNCTION = re.compile(r"(__inference_\w+_)(\d+)", re.ASCII)
CAPTURE_NAME = "_user_specified_name"
"""The attribute with TensorFlow's name for a captured variable: a number."""


def write(model: ServingModel, path: Path, images: RawImages) -> None:
    """Write a SavedModel whose default signature takes raw images, with warm-up requests.

    The input is `images`, uint8 [batch, height, width]; the outputs are `probabilities`, float32 [batch, classes], and
    `label`, int64 [batch].
    """
    import tensorflow as tf

    tf.saved_model.save(model.as_module(), path, signatures={SIGNATURE: model.serve})
    _make_reproducible(path)
    write_warmup(path, images, signature=SIGNATURE)


def load(path: Path) -> PredictFunction:
    """Load the directory with TensorFlow."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))

    def predict(images: RawImages) -> Outputs:
        outputs = loaded.signatures[SIGNATURE](**{INPUT: tf.constant(images)})
        return {name: values.numpy() for name, values in outputs.items()}

    return predict


def _make_reproducible(directory: Path) -> None:
    """Remove what differs between two saves of the same network.

    The names of traced functions and captured variables contain numbers that count what the process created before.
    `fingerprint.pb`, which loaders do not need, is random.
    """
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    (directory / "fingerprint.pb").unlink(missing_ok=True)
    path = directory / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    numbers: set[int] = set()

    def collect(text: str) -> str:
        if found := NUMBERED_FUNCTION.fullmatch(text):
            numbers.add(int(found[2]))
        return text

    def renumber(text: str) -> str:
        found = NUMBERED_FUNCTION.fullmatch(text)
        return f"{found[1]}{positions[int(found[2])]}" if found else text

    _change_strings(saved, collect)
    positions = {number: position for position, number in enumerate(sorted(numbers))}
    _change_strings(saved, renumber)
    for meta_graph in saved.meta_graphs:
        functions = meta_graph.graph_def.library.function
        for function in functions:
            for argument in function.arg_attr.values():
                if CAPTURE_NAME in argument.attr and argument.attr[CAPTURE_NAME].s.isdigit():
                    argument.attr[CAPTURE_NAME].s = b""
        functions.sort(key=lambda function: function.signature.name)
    path.write_bytes(saved.SerializeToString(deterministic=True))


def _change_strings(message: Any, change: Callable[[str], str]) -> None:
    """Change every string of a message and of the messages in it, and the keys of their maps."""
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            _change_map(field.message_type.fields_by_name["value"], value, change)
        elif field.type == field.TYPE_MESSAGE:
            for inner in value if field.is_repeated else (value,):
                _change_strings(inner, change)
        elif field.type == field.TYPE_STRING:
            if field.is_repeated:
                value[:] = map(change, value)
            else:
                setattr(message, field.name, change(value))


def _change_map(values: Any, entries: Any, change: Callable[[str], str]) -> None:
    """Change the keys and values of a map field; `values` is the descriptor of its values."""
    for key in list(entries):
        name = change(key) if isinstance(key, str) else key
        if values.type == values.TYPE_MESSAGE:
            _change_strings(entries[key], change)
        elif values.type == values.TYPE_STRING:
            entries[key] = change(entries[key])
        if name != key:
            if values.type == values.TYPE_MESSAGE:
                entries[name].CopyFrom(entries[key])
            else:
                entries[name] = entries[key]
            del entries[key]
