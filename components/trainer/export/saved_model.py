"""The SavedModel: TensorFlow alone loads it, and TensorFlow Serving serves it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from components.trainer.export.serving_model import INPUT
from components.trainer.export.warmup import write_warmup

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from components.trainer.export.exporter import Answers
    from components.trainer.export.serving_model import ServingModel

TITLE = "SavedModel"
SIGNATURE = "serving_default"
"""The one that is meant where a client names none."""
NUMBERED_FUNCTION = re.compile(r"(__inference_\w+_)(\d+)", re.ASCII)
CAPTURE = "_user_specified_name"
"""Of a variable that a function captures, what TensorFlow calls the argument: a number."""


def write(deployable: ServingModel, path: Path, images: NDArray[np.uint8]) -> None:
    """Write a SavedModel whose default signature takes raw images, with requests to warm it up.

    Its input is `images`, uint8 [batch, height, width]; its outputs are `probabilities`,
    float32 [batch, classes], and `label`, int64 [batch].
    """
    import tensorflow as tf

    module = tf.Module()
    module.weights = [variable.value for variable in deployable.network.weights]
    module.serve = deployable.serve
    tf.saved_model.save(module, path, signatures={SIGNATURE: deployable.serve})
    _make_reproducible(path)
    write_warmup(path, images, signature=SIGNATURE)


def read(path: Path) -> Callable[[NDArray[np.uint8]], Answers]:
    """Return what TensorFlow makes of the directory."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))

    def answer(images: NDArray[np.uint8]) -> Answers:
        told = loaded.signatures[SIGNATURE](**{INPUT: tf.constant(images)})
        return {name: values.numpy() for name, values in told.items()}

    return answer


def _make_reproducible(directory: Path) -> None:
    """Take out of a SavedModel what differs between two saves of the same network.

    Traced functions and captured variables carry numbers that count what the process made
    before, and `fingerprint.pb`, which loaders do without, a random one.
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
        return f"{found[1]}{places[int(found[2])]}" if found else text

    _change_strings(saved, collect)
    places = {number: place for place, number in enumerate(sorted(numbers))}
    _change_strings(saved, renumber)
    for meta_graph in saved.meta_graphs:
        functions = meta_graph.graph_def.library.function
        for function in functions:
            for argument in function.arg_attr.values():
                if CAPTURE in argument.attr and argument.attr[CAPTURE].s.isdigit():
                    argument.attr[CAPTURE].s = b""
        functions.sort(key=lambda function: function.signature.name)
    path.write_bytes(saved.SerializeToString(deterministic=True))


def _change_strings(message: Any, change: Callable[[str], str]) -> None:
    """Change every string of a message and of those within it, and the keys of their maps."""
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            _change_map(field.message_type.fields_by_name["value"], value, change)
        elif field.type == field.TYPE_MESSAGE:
            for below in value if field.is_repeated else (value,):
                _change_strings(below, change)
        elif field.type == field.TYPE_STRING:
            if field.is_repeated:
                value[:] = map(change, value)
            else:
                setattr(message, field.name, change(value))


def _change_map(values: Any, entries: Any, change: Callable[[str], str]) -> None:
    """Change the strings of a map's values, which `values` describes, and its keys."""
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
