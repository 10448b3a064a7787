"""Script that serves a SavedModel with TensorFlow's C library, as a separate process.

python serving_process.py LIBRARY SAVED_MODEL IMAGES.npy RESULTS.npz THREADS PARENT

It loads the SavedModel with LIBRARY, as TensorFlow for Java and Go does; TensorFlow Serving uses the same loader. It
uses neither this package nor Keras, and of TensorFlow's Python code it imports only generated protobuf messages,
because the rest takes seconds. IMAGES holds raw images, uint8. Requests begin when standard input is closed: until
then, the job may use the processors for other work. RESULTS gets `probabilities`, float32 [count, classes], the seconds
of some requests of one image (`latencies`), and the seconds of one request of all images (`all_seconds`). PARENT is the
id of the process with which this one ends. The exit code is `UNUSABLE_LIBRARY` if TensorFlow itself does not work.
"""

import ctypes
import os
import signal
import sys
import time
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

PR_SET_PDEATHSIG = 1
FLOAT, UINT8 = 1, 4
"""Of `TF_DataType`."""
RESOURCE_EXHAUSTED = 8
"""Of `TF_Code`."""
UNUSABLE_LIBRARY = 3
"""Exit code that says nothing about the model. The last line of standard error has the reason."""


class Pointer(ctypes.c_void_p):
    """An address, which ctypes would convert to an integer if it were a plain `c_void_p`."""


class Buffer(ctypes.Structure):
    """`TF_Buffer`"""

    _fields_ = (("data", Pointer), ("length", ctypes.c_size_t), ("deallocator", Pointer))


class Output(ctypes.Structure):
    """`TF_Output`: a tensor of the graph."""

    _fields_ = (("operation", Pointer), ("index", ctypes.c_int))


class ServedModel:
    """A SavedModel, loaded with TensorFlow's C API (tensorflow/c/c_api.h), that predicts raw images."""

    def __init__(self, tf: ctypes.CDLL, meta_graph: Any, saved_model: str) -> None:
        self._tf = tf
        self._status, self._graph, saved = tf.TF_NewStatus(), tf.TF_NewGraph(), tf.TF_NewBuffer()
        tags, options = (ctypes.c_char_p * 1)(b"serve"), tf.TF_NewSessionOptions()
        self._session = tf.TF_LoadSessionFromSavedModel(
            options, None, os.fsencode(saved_model), tags, len(tags), self._graph, saved, self._status
        )
        self._check("load the SavedModel")
        content = ctypes.string_at(saved.contents.data, saved.contents.length)
        signature = meta_graph.FromString(content).signature_def["serving_default"]
        self._images = self._tensor(signature.inputs["images"].name)
        self._probabilities = self._tensor(signature.outputs["probabilities"].name)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities of raw images, float32 [count, classes]."""
        tf, shape = self._tf, (ctypes.c_int64 * images.ndim)(*images.shape)
        sent, received = tf.TF_AllocateTensor(UINT8, shape, images.ndim, ctypes.c_size_t(images.nbytes)), Pointer()
        ctypes.memmove(tf.TF_TensorData(sent), images.ctypes.data, images.nbytes)
        inputs, outputs = ctypes.byref(self._images), ctypes.byref(self._probabilities)
        tensors = inputs, ctypes.byref(sent), 1, outputs, ctypes.byref(received), 1
        tf.TF_SessionRun(self._session, None, *tensors, None, 0, None, self._status)
        tf.TF_DeleteTensor(sent)
        self._check("predict")
        if (kind := tf.TF_TensorType(received)) != FLOAT:
            raise TypeError(f"the probabilities are of the type {kind}, not float32")
        content = ctypes.string_at(tf.TF_TensorData(received), tf.TF_TensorByteSize(received))
        tf.TF_DeleteTensor(received)
        return np.frombuffer(content, np.float32).reshape(len(images), -1)

    def _tensor(self, name: str) -> Output:
        operation, _, index = name.partition(":")
        if not (found := self._tf.TF_GraphOperationByName(self._graph, operation.encode())):
            raise KeyError(f"the signature `serving_default` has no tensor `images` or no `probabilities`: {name}")
        return Output(found, int(index))

    def _check(self, action: str) -> None:
        if code := self._tf.TF_GetCode(self._status):
            message = self._tf.TF_Message(self._status).decode(errors="replace").replace("\n", " ")
            error = MemoryError if code == RESOURCE_EXHAUSTED else RuntimeError
            raise error(f"TensorFlow cannot {action}: {message}")


def load_library(library: str) -> ctypes.CDLL:
    """Load TensorFlow's C library, with the types of the results of all functions that `ServedModel` calls."""
    tf = ctypes.CDLL(library)
    for result, names in (
        (Pointer, "NewStatus NewGraph NewSessionOptions LoadSessionFromSavedModel GraphOperationByName"),
        (Pointer, "AllocateTensor TensorData"),
        (ctypes.POINTER(Buffer), "NewBuffer"),
        (ctypes.c_char_p, "Message"),
        (ctypes.c_size_t, "TensorByteSize"),
        (ctypes.c_int, "GetCode TensorType"),
        (None, "SessionRun DeleteTensor"),
    ):
        for name in names.split():
            getattr(tf, f"TF_{name}").restype = result
    return tf


def import_meta_graph() -> Any:
    """Import the message class that contains the signatures of a SavedModel."""
    found = find_spec("tensorflow")
    package = ModuleType("tensorflow")  # in place of the code of the package, which imports all of TensorFlow
    package.__path__ = [] if found is None else [*(found.submodule_search_locations or ())]
    sys.modules["tensorflow"] = package
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

    return MetaGraphDef


def end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends or is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before
        os._exit(1)


def main(library: str, saved_model: str, images_file: str, results_file: str, threads: str, parent: str) -> None:
    """Load the model, send requests to it, and write the results."""
    end_with(int(parent))
    os.environ |= {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # the job's own process uses memory of the GPU too
        "NVIDIA_TF32_OVERRIDE": "0",  # as in the job's own process
    }
    images = np.load(images_file, allow_pickle=False)
    try:
        meta_graph, tf = import_meta_graph(), load_library(library)
    except MemoryError:
        raise
    except Exception as error:  # another version of protobuf raises an exception class that is not built in
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(UNUSABLE_LIBRARY)
    model = ServedModel(tf, meta_graph, saved_model)

    def request(batch: np.ndarray) -> tuple[np.ndarray, float]:
        start = time.perf_counter()
        return model.predict(batch), time.perf_counter() - start

    sys.stdin.read()  # returns when it is closed
    for _ in range(5):  # not timed: the first requests allocate memory
        request(images[:1])
    latencies = [request(images[row : row + 1])[1] for row in np.arange(50) % len(images)]
    request(images)
    probabilities, all_seconds = request(images)
    np.savez(results_file, probabilities=probabilities, latencies=latencies, all_seconds=all_seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # the results are written; TensorFlow's shutdown takes half a second
