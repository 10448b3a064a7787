"""The ONNX model: one file for ONNX Runtime and what else reads the Open Neural Network Exchange."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from components.base.errors import ConfigError
from components.runtime.libraries import missing_modules
from components.runtime.tensorflow import quiet_stderr
from components.trainer.export.serving_model import INPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from components.trainer.export.exporter import Answers
    from components.trainer.export.serving_model import ServingModel

TITLE = "ONNX model"
OPSET = 18
"""ONNX 1.13 of 2022: the newest for which tf2onnx 1.17 says that it converts to."""
PACKAGES = ("tf2onnx", "onnx", "onnxruntime")


def missing() -> list[str]:
    """Return which of the packages that convert and try the model are not installed, without importing them."""
    return missing_modules(PACKAGES)


def require(place: str) -> None:
    """Raise ConfigError now, without importing them, if what converts and tries the model is not installed.

    Args:
        place: what asks for it, such as `trainer.exports`.
    """
    if absent := missing():
        raise ConfigError(
            f"{place} names onnx, but what converts to it is not installed: {', '.join(absent)}",
            expected="the packages of the extra `onnx`",
            remedy=f"`make extras` or `pip install 'mnist-job[onnx]'`, or take onnx out of {place}",
        )


def write(deployable: ServingModel, path: Path, images: NDArray[np.uint8]) -> None:  # noqa: ARG001
    """Write an ONNX file in float32 with the SavedModel's names, for batches of any size."""
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    from tf2onnx.convert import from_function

    with quiet_stderr():
        model, _ = from_function(deployable.serve, input_signature=deployable.serve.input_signature, opset=OPSET)
    _make_reproducible(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def read(path: Path) -> Callable[[NDArray[np.uint8]], Answers]:
    """Return what ONNX Runtime makes of the file on a CPU, with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def answer(images: NDArray[np.uint8]) -> Answers:
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, {INPUT: images}), strict=True))

    return answer


def _make_reproducible(model: Any) -> None:
    """Name what lies between input and output by its place: tf2onnx counts through all that the process made before."""
    graph = model.graph
    outside = {value.name for value in (*graph.input, *graph.output)}
    names: dict[str, str] = {"": "", **{name: name for name in outside}}

    def rename(values: Iterable[str]) -> list[str]:
        return [names.setdefault(name, f"value_{len(names)}") for name in values]

    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        node.input[:], node.output[:] = rename(node.input), rename(node.output)
    for tensor in graph.initializer:
        (tensor.name,) = rename([tensor.name])
    graph.initializer.sort(key=lambda tensor: int(tensor.name.rpartition("_")[2]))
    del graph.value_info[:]  # shapes that any reader infers again
    graph.name, graph.doc_string = "digit_reader", ""
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
