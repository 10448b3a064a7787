"""The SavedModel: TensorFlow alone loads it, and TensorFlow Serving serves it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from components.exporting.deployable import INPUT
from components.exporting.warmup import write_warmup

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from components.exporting.deployable import Deployable
    from components.exporting.form import Answers

TITLE = "SavedModel"
SIGNATURE = "serving_default"
"""The one that is meant where a client names none."""
NUMBERED_FUNCTION = re.compile(r'"(__inference_\w+_)(\d+)"', re.ASCII)
NUMBERED_CAPTURE = re.compile(r'(key: "_user_specified_name"\s+value \{\s+s: )"\d+"', re.ASCII)


def write(deployable: Deployable, path: Path, images: NDArray[np.uint8]) -> None:
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
