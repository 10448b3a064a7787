"""Script that serves a SavedModel with TensorFlow alone, as a separate process.

python serving_process.py SAVED_MODEL IMAGES.npy RESULTS.npz THREADS PARENT

It does not use this package, and blocks the import of Keras: a model that works here works wherever TensorFlow is
installed. IMAGES holds raw images, uint8. Requests begin when standard input is closed: until then, the job may use the
processors for other work. RESULTS gets `probabilities`, float32 [count, classes], the seconds of some requests of one
image (`latencies`), and the seconds of one request of all images (`all_seconds`). PARENT is the id of the process with
which this one ends.
"""

import ctypes
import gc
import os
import signal
import sys
import time
from importlib.util import find_spec
from types import ModuleType
from typing import Any

PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends or is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended before
        os._exit(1)


def import_tensorflow() -> Any:
    """Return TensorFlow, if possible with only the parts of its API that serve a model.

    The import of all parts takes half as much CPU time again.
    """
    found = find_spec("tensorflow")
    package = ModuleType("tensorflow")
    package.__path__ = [] if found is None else [*(found.submodule_search_locations or ())]
    sys.modules["tensorflow"] = package
    try:
        from tensorflow._api.v2 import config, saved_model
        from tensorflow.python import tf2
        from tensorflow.python.compat.v2_compat import enable_v2_behavior
        from tensorflow.python.framework.constant_op import constant
    except ImportError:  # this release has other parts
        del sys.modules["tensorflow"]
        import tensorflow

        return tensorflow
    tf2.enable()
    enable_v2_behavior()
    package.config, package.saved_model, package.constant = config, saved_model, constant  # type: ignore[attr-defined]
    return package


def main(saved_model: str, images_file: str, results_file: str, threads: str, parent: str) -> None:
    """Load the model, send requests to it, and write the results."""
    end_with(int(parent))
    gc.disable()  # imported modules stay in memory: garbage collection takes a fifth of the time
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["TF2_BEHAVIOR"] = "1"  # read while parts of TensorFlow are imported
    sys.modules["keras"] = None  # type: ignore[assignment]  # importing it raises an ImportError
    import numpy as np

    tf = import_tensorflow()
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(int(threads))
    for gpu in tf.config.list_physical_devices("GPU"):  # the job's own process uses memory of the GPU too
        tf.config.experimental.set_memory_growth(gpu, True)  # noqa: FBT003
    tf.config.experimental.enable_tensor_float_32_execution(False)  # noqa: FBT003  (as in the job's own process)
    images = np.load(images_file, allow_pickle=False)
    signature = tf.saved_model.load(saved_model).signatures["serving_default"]

    def request(batch: np.ndarray) -> tuple[np.ndarray, float]:
        start = time.perf_counter()
        probabilities = signature(images=tf.constant(batch))["probabilities"].numpy()
        return probabilities, time.perf_counter() - start

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
