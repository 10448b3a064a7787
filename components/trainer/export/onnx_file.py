"""The ONNX model: one file for ONNX Runtime and other readers of the Open Neural Network Exchange format."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from components.base.standard_error import quiet_stderr
from components.trainer.export.serving_model import INPUT, ExampleImages, Outputs, RawImages, ServingModel

TITLE = "ONNX model"
FILE_NAME = "model.onnx"


def write(model: ServingModel, path: Path, images: ExampleImages) -> None:  # noqa: ARG001
    """Write an ONNX file in float32 with the SavedModel's names, for batches of any size."""
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    from tf2onnx.convert import from_function

    with quiet_stderr():
        # Opset 18, of ONNX 1.13 (2022), is the newest that tf2onnx 1.17 declares to support.
        converted, _ = from_function(
            model.serve,
            input_signature=model.serve.input_signature,
            opset=18,
            custom_op_handlers={"Erfc": (_convert_erfc, [])},
        )
    _make_reproducible(converted)
    path.write_bytes(converted.SerializeToString(deterministic=True))


def _convert_erfc(graph: Any, node: Any, name: str, arguments: Any) -> None:  # noqa: ARG001  (tf2onnx's own signature)
    """Replace erfc(x), which ONNX does not have and Keras's GELU computes, by 1 - erf(x)."""
    import numpy as np

    erf = graph.make_node("Erf", [node.input[0]])
    one = graph.make_const(f"{node.name}_one", np.array(1, np.float32))
    graph.remove_node(node.name)
    graph.make_node("Sub", [one.output[0], erf.output[0]], outputs=[node.output[0]], name=node.name)


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
