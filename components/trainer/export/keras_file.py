"""The `.keras` file: Keras loads it in safe mode, without code of ours, and it takes raw images."""

from __future__ import annotations

import json
import re
import zipfile
from typing import TYPE_CHECKING, Any

from components.inference.averaging import average_over_shifts_keras
from components.inference.transform_graph import apply_keras
from components.trainer.export.serving_model import INPUT, PROBABILITIES, copy_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from components.artifacts import GraphOperation
    from components.trainer.export.exporter import Answers
    from components.trainer.export.serving_model import ServingModel

TITLE = "Keras file"
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP archive can state."""
READABLE = 0o644 << 16
"""The mode of a member that is unpacked, where ZIP keeps it."""
SHARED_OBJECT = re.compile(r'(?<="shared_object_id": )\d+', re.ASCII)


def write(deployable: ServingModel, path: Path, images: NDArray[np.uint8]) -> None:  # noqa: ARG001
    """Write a `.keras` file of layers that Keras has: those of the transform graph, the network, its average.

    It is not compiled: the schedule that trained it would be code of ours. Keras states in the file when it was
    saved, and ZIP when each member was: both are put to a fixed time. Objects shared by layers are numbered by their
    place in memory: they are counted instead. So the same network is the same file.
    """
    draft = path.with_name(f"draft-{path.name}")
    _functional(deployable).save(draft)
    with zipfile.ZipFile(draft) as saved, zipfile.ZipFile(path, "w") as archive:
        for name in sorted(saved.namelist()):
            content = saved.read(name)
            if name == "metadata.json":
                metadata = json.loads(content) | {"date_saved": "1980-01-01@00:00:00"}
                content = json.dumps(metadata, sort_keys=True).encode()
            if name == "config.json":
                content = _renumber_shared_objects(content.decode()).encode()
            member = zipfile.ZipInfo(name, ZIP_EPOCH)
            member.external_attr = READABLE
            archive.writestr(member, content)
    draft.unlink()


def read(path: Path) -> Callable[[NDArray[np.uint8]], Answers]:
    """Return what Keras, in its safe mode, makes of the file."""
    import keras
    import tensorflow as tf

    model = keras.models.load_model(path, compile=False, safe_mode=True)

    def answer(images: NDArray[np.uint8]) -> Answers:
        return {PROBABILITIES: model(tf.constant(images), training=False).numpy()}

    return answer


def _functional(deployable: ServingModel) -> Any:
    """Return the keras model from raw images to probabilities, with a copy of the network in it as one layer."""
    import keras

    images, scaled = keras_front(deployable.graph, deployable.image_size)
    probabilities = average_over_shifts_keras(copy_of(deployable.network), scaled, shift=deployable.test_time_shift)
    return keras.Model(images, probabilities, name="digit_reader")


def keras_front(graph: tuple[GraphOperation, ...], image_size: tuple[int, ...]) -> tuple[Any, Any]:
    """Return the KerasTensors of raw images, uint8 [batch, height, width], and of what the graph makes of them.

    Raises:
        ValueError: if Keras has no layer for an operation.
    """
    import keras

    images = keras.Input(image_size, dtype="uint8", name=INPUT)
    return images, apply_keras(graph, images)


def _renumber_shared_objects(config: str) -> str:
    order = list(dict.fromkeys(SHARED_OBJECT.findall(config)))
    return SHARED_OBJECT.sub(lambda found: str(order.index(found[0])), config)
