"""Script that replaces TensorFlow Serving in tests: it imports TensorFlow, but neither Keras nor this package.

python model_server.py BASE_PATH

Like the model server, it loads the newest version below BASE_PATH, runs its warm-up requests, and serves clients on a
local port. It prints a description of the version as one line of JSON, and ends when its standard input is closed.

It follows the source code in github.com/tensorflow/serving: `file_system_storage_path_source.cc` (which folders are
versions), `saved_model_warmup_util.cc` (warm-up), `api_rest.md` and `json_tensor.cc` (REST format). If
`tensorflow_serving.apis` is installed, it decodes the requests, else this script does by their field numbers: never the
code that wrote them.
"""

import importlib
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
if __name__ == "__main__":
    for absent in ("keras", "components", "job", "tests"):
        sys.modules[absent] = None  # type: ignore[assignment]  # importing it raises an ImportError

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

MAX_WARMUPS = 1000
"""`kMaxNumRecords`: with more requests, the server does not load the model."""
INTEGERS = {"uint8", "int8", "int16", "int32", "int64"}


def newest(base: Path) -> Path:
    """Return the child whose name is the highest whole number; the default policy serves that one."""
    versions = {int(child.name): child for child in base.iterdir() if re.fullmatch(r"\s*-?\d+\s*", child.name)}
    return versions[max(versions)]


def fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield field number and value of a message in protocol buffers' wire format."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place, value, shift = place + 1, value | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return value

    while place < len(message):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            yield number, varint()
            continue
        size = varint() if kind == 2 else {1: 8, 5: 4}[kind]
        yield number, message[place : place + size]
        place += size


def only(message: bytes, number: int) -> bytes:
    """Return the one value of a field of bytes."""
    (value,) = [value for found, value in fields(message) if found == number]
    assert isinstance(value, bytes)
    return value


def decode(record: bytes) -> tuple[str, dict[str, bytes]]:
    """Return the name of the signature, and for each input its TensorProto, of a PredictionLog of a PredictRequest."""
    try:
        PredictionLog = importlib.import_module("tensorflow_serving.apis.prediction_log_pb2").PredictionLog  # noqa: N806
    except ImportError:
        request = only(only(record, 6), 1)  # predict_log, request
        entries = [value for number, value in fields(request) if number == 2 and isinstance(value, bytes)]
        spec = [value for number, value in fields(only(request, 1)) if number == 3]  # model_spec, signature_name
        signature = spec[0].decode() if spec and isinstance(spec[0], bytes) else ""
        return signature, {only(entry, 1).decode(): only(entry, 2) for entry in entries}
    log = PredictionLog.FromString(record)
    assert log.WhichOneof("log_type") == "predict_log"
    request = log.predict_log.request
    inputs = {name: tensor.SerializeToString() for name, tensor in request.inputs.items()}
    return request.model_spec.signature_name, inputs


def warm_up(version: Path, signatures: Any) -> list[dict[str, Any]]:
    """Run every warm-up request as if a client had sent it, and return the inputs and outputs of each."""
    results: list[dict[str, Any]] = []
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        assert len(results) < MAX_WARMUPS, "too many warm-up requests: the server would not load the model"
        name, protos = decode(record)
        tensors = {key: tf.constant(tf.make_ndarray(TensorProto.FromString(proto))) for key, proto in protos.items()}
        outputs = signatures[name or "serving_default"](**tensors)
        results.append(
            {
                "signature": name,
                "inputs": {key: [tensor.dtype.name, tensor.shape.as_list()] for key, tensor in tensors.items()},
                "brightest": [int(tensor.numpy().max()) for tensor in tensors.values()],
                "probabilities": outputs["probabilities"].numpy().tolist(),
                "label": outputs["label"].numpy().tolist(),
            }
        )
    return results


def to_tensor(name: str, spec: Any, rows: list[Any]) -> Any:
    """Return the tensor of a named input in the row format; raise ValueError for other shapes or types."""
    named = [row[name] if isinstance(row, dict) else row for row in rows]
    values = np.array(named)
    if spec.dtype.name in INTEGERS and values.dtype.kind != "i":
        raise ValueError(f"JSON Value is not of expected type: {spec.dtype.name}")
    if not spec.shape.is_compatible_with(values.shape):
        raise ValueError(f"shape {values.shape} is not {spec.shape}")
    return tf.constant(values, dtype=spec.dtype)


def predict(signature: Any, body: Any) -> dict[str, Any]:
    """Return the REST API's response to a `predict` request: one object per row if there are several outputs."""
    (name, spec), *others = signature.structured_input_signature[1].items()
    assert not others
    outputs = {
        key: tensor.numpy() for key, tensor in signature(**{name: to_tensor(name, spec, body["instances"])}).items()
    }
    rows = [{key: values[row].tolist() for key, values in outputs.items()} for row in range(len(body["instances"]))]
    return {"predictions": rows if len(outputs) > 1 else [value for row in rows for value in row.values()]}


def serving(signature: Any, version: Path) -> HTTPServer:
    """Return a server on a free port of the local host, with the path `/v1/models/mnist:predict`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                assert self.path == "/v1/models/mnist:predict"
                self._respond(200, predict(signature, json.loads(body)))
            except (AssertionError, KeyError, ValueError) as error:
                self._respond(400, {"error": str(error)})

        def do_GET(self) -> None:
            status = {"version": version.name, "state": "AVAILABLE"}
            self._respond(200, {"model_version_status": [status]})

        def _respond(self, code: int, value: Any) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(value).encode())

        def log_message(self, *_: Any) -> None: ...

    return HTTPServer(("127.0.0.1", 0), Handler)


def describe(specs: dict[str, Any]) -> dict[str, Any]:
    """Return dtype and shape of each tensor of a signature by its name; -1 for a free dimension."""
    return {
        name: [spec.dtype.name, [-1 if size is None else size for size in spec.shape.as_list()]]
        for name, spec in specs.items()
    }


def main(base: str) -> None:
    """Load the newest version, print its description, and serve clients."""
    version = newest(Path(base))
    loaded = tf.saved_model.load(str(version))
    signature = loaded.signatures["serving_default"]
    server = serving(signature, version)
    found = {
        "version": version.name,
        "warmups": warm_up(version, loaded.signatures),
        "inputs": describe(signature.structured_input_signature[1]),
        "outputs": describe(signature.structured_outputs),
        "port": server.server_port,
    }
    print(json.dumps(found), flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
    os._exit(0)  # TensorFlow's shutdown takes half a second
