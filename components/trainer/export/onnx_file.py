"""The ONNX model: one file for ONNX Runtime and other readers of the Open Neural Network Exchange format."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from components.base.standard_error import quiet_stderr
from components.trainer.export.serving_model import INPUT, Outputs, RawImages, ServingModel

TITLE = "ONNX model"
FILE_NAME = "model.onnx"


def write(model: ServingModel, path: Path, images: RawImages) -> None:  # noqa: ARG001
    """Write an ONNX file in float32 with the SavedModel's names, for batches of any size."""
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    from tf2onnx.convert import from_function

    with quiet_stderr():
        # Opset 18, of ONNX 1.13 (2022), is the newest that tf2onnx 1.17 declares to support.
        converted, _ = from_function(model.serve, input_signature=model.serve.input_signature, opset=18)
    _make_reproducible(converted)
    path.write_bytes(converted.SerializeToString(deterministic=True))


def predict(path: Path, images: RawImages) -> Outputs:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {INPUT: images}), strict=True))


def _make_reproducible(converted: Any) -> None:
    """Rename all inner values by their position: tf2onnx numbers them across everything that the process created."""
    graph = converted.graph
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
    del graph.value_info[:]  # shapes, which every reader infers
    graph.name, graph.doc_string = "digit_reader", ""
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
