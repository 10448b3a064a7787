"""The trained network in the forms that one deploys, the same bytes for the same weights."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from functools import partial
from typing import TYPE_CHECKING, Any

from components.data.transform_graph import apply_tensorflow
from components.models.averaging import average_over_shifts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from components.artifacts import GraphOperation

ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP archive can state."""
NUMBERED_FUNCTION = re.compile(r'"(__inference_\w+_)(\d+)"', re.ASCII)
NUMBERED_CAPTURE = re.compile(r'(key: "_user_specified_name"\s+value \{\s+s: )"\d+"', re.ASCII)
SHARED_OBJECT = re.compile(r'(?<="shared_object_id": )\d+', re.ASCII)


def weights_digest(network: Any) -> str:
    """Return the SHA-256 over the bytes of all weights, with names, dtypes and shapes, in their order."""
    digest = hashlib.sha256()
    for variable in network.weights:
        array = variable.numpy()
        digest.update(f"{variable.path} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_keras(network: Any, path: Path) -> None:
    """Write a `.keras` file that Keras loads in safe mode and without code of ours.

    It holds the network alone, not compiled: the schedule that trained it would be such code.
    Keras states in it when it was saved, and ZIP when each member was: both are put to a fixed
    time. Objects shared by layers are numbered by their place in memory: they are counted
    instead. So the same network is the same file.
    """
    import keras

    plain = keras.Sequential.from_config(network.get_config())
    plain.set_weights(network.get_weights())
    draft = path.with_name(f"draft-{path.name}")
    plain.save(draft)
    with zipfile.ZipFile(draft) as saved, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(saved.namelist()):
            content = saved.read(name)
            if name == "metadata.json":
                metadata = json.loads(content) | {"date_saved": "1980-01-01@00:00:00"}
                content = json.dumps(metadata, sort_keys=True).encode()
            if name == "config.json":
                content = _renumber_shared_objects(content.decode()).encode()
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), content)
    draft.unlink()


def _renumber_shared_objects(config: str) -> str:
    order = list(dict.fromkeys(SHARED_OBJECT.findall(config)))
    return SHARED_OBJECT.sub(lambda found: str(order.index(found[0])), config)


def write_saved_model(
    network: Any, graph: Iterable[GraphOperation], directory: Path, *, test_time_shift: int = 0
) -> None:
    """Write a SavedModel whose default signature takes raw images.

    Its input is `images`, uint8 [batch, height, width]; its outputs are `probabilities`,
    float32 [batch, classes], and `label`, int64 [batch]. TensorFlow alone loads it.

    Args:
        network: takes what `graph` makes.
        graph: what to do with raw images before the network.
        directory: to be made.
        test_time_shift: answers are means over images moved by up to so many pixels (see `average_over_shifts`).
    """
    import tensorflow as tf

    height, width, _ = network.input_shape[1:]

    # Nothing here branches on a tensor: to look for that takes longer than the rest of exporting.
    @tf.function(input_signature=[tf.TensorSpec((None, height, width), tf.uint8, name="images")], autograph=False)  # type: ignore[untyped-decorator]
    def serve(images: Any) -> dict[str, Any]:
        scaled = apply_tensorflow(graph, images)
        probabilities = average_over_shifts(partial(network, training=False), scaled, shift=test_time_shift)
        return {"probabilities": probabilities, "label": tf.argmax(probabilities, axis=-1)}

    module = tf.Module()
    module.weights = [variable.value for variable in network.weights]
    module.serve = serve
    tf.saved_model.save(module, directory, signatures={"serving_default": serve})
    _make_reproducible(directory)


def _make_reproducible(directory: Path) -> None:
    """Take out of a SavedModel what differs between two saves of the same network.

    Traced functions and captured variables carry numbers that count what the process made
    before, and `fingerprint.pb`, which loaders do without, a random one.
    """
    from google.protobuf import text_format
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    (directory / "fingerprint.pb").unlink(missing_ok=True)
    path = directory / "saved_model.pb"
    text = text_format.MessageToString(SavedModel.FromString(path.read_bytes()))
    numbers = sorted({int(number) for _, number in NUMBERED_FUNCTION.findall(text)})
    text = NUMBERED_FUNCTION.sub(lambda found: f'"{found[1]}{numbers.index(int(found[2]))}"', text)
    text = NUMBERED_CAPTURE.sub(r'\1""', text)
    saved = text_format.Parse(text, SavedModel())
    for meta_graph in saved.meta_graphs:
        meta_graph.graph_def.library.function.sort(key=lambda function: function.signature.name)
    path.write_bytes(saved.SerializeToString(deterministic=True))
