"""The `.keras` file: Keras loads it in safe mode, without code of this project, and it takes raw images."""

import json
import zipfile
from pathlib import Path
from typing import Any

from components.artifacts import GraphOperation
from components.inference.averaging import average_over_shifts_keras
from components.inference.predictor import AVERAGED_LAYER
from components.inference.transform_graph import apply_keras
from components.trainer.export.keras_config import make_portable
from components.trainer.export.serving_model import (
    INPUT,
    PROBABILITIES,
    ExampleImages,
    Outputs,
    RawImages,
    ServingModel,
)

TITLE = "Keras file"
FILE_NAME = "model.keras"
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP archive can state."""
MEMBER_MODE = 0o644 << 16
"""The permissions of a member, in the bits where ZIP stores them."""


def write(model: ServingModel, path: Path, images: ExampleImages) -> None:  # noqa: ARG001
    """Write a `.keras` file that consists of Keras's own layers: transform graph, network, averaging.

    The model is not compiled, because its learning-rate schedule is code of this project. Equal networks give equal
    bytes: the time of saving, which Keras and ZIP record, is fixed.
    """
    draft = path.with_name(f"draft-{path.name}")
    _raw_model(model).save(draft)
    with zipfile.ZipFile(draft) as saved, zipfile.ZipFile(path, "w") as archive:
        for name in sorted(saved.namelist()):
            content = saved.read(name)
            if name == "metadata.json":
                metadata = json.loads(content) | {"date_saved": "1980-01-01@00:00:00"}
                content = json.dumps(metadata, sort_keys=True).encode()
            if name == "config.json":
                content = json.dumps(make_portable(json.loads(content))).encode()
            member = zipfile.ZipInfo(name, ZIP_EPOCH)
            member.external_attr = MEMBER_MODE
            archive.writestr(member, content)
    draft.unlink()


def predict(path: Path, images: RawImages) -> Outputs:
    import keras
    import tensorflow as tf

    model = keras.models.load_model(path, compile=False, safe_mode=True)
    return {PROBABILITIES: model(tf.constant(images), training=False).numpy()}


def keras_inputs(graph: tuple[GraphOperation, ...], shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return KerasTensors of raw images, uint8 [batch, *shape], and of the scaled images.

    Raises ValueError if Keras has no layer for an operation.
    """
    import keras

    images = keras.Input(shape, dtype="uint8", name=INPUT)
    return images, apply_keras(graph, images)


def _raw_model(model: ServingModel) -> Any:
    """Return a keras.Sequential of raw images. Releases disagree on how a functional model states its only input."""
    import keras

    images, scaled = keras_inputs(model.graph, model.raw_shape)
    network = model.network
    layers = keras.Model(images, scaled).layers
    # A sequential model calls layers without arguments, and takes no operations. If a functional model is loaded from a
    # file, it returns a list, which another functional model takes without a warning.
    is_functional = any(operation.op in ("resize", "function") for operation in model.graph)
    if is_functional:
        first = keras.Input(model.raw_shape, dtype="uint8", name=INPUT)  # shared layers are saved with an address
        layers = [first, keras.Model(images, scaled, name="transform")]
    if model.test_time_shift or is_functional:
        inputs = keras.Input(scaled.shape[1:], name="scaled")
        averages = average_over_shifts_keras(network, inputs, shift=model.test_time_shift)
        network = keras.Model([inputs], [averages], name=AVERAGED_LAYER)
    return keras.Sequential([*layers, network], name="digit_reader")
