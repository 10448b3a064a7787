"""A process of its own that serves a SavedModel to a few raw images, by TensorFlow alone.

python serving_process.py SAVED_MODEL IMAGES.npy ANSWERS.npz THREADS

It knows nothing of this package, and Keras cannot be imported in it: what answers here answers wherever TensorFlow
is. IMAGES holds uint8 [count, height, width]; ANSWERS gets `probabilities`, float32 [count, classes], the seconds of
each of some requests of one image (`latencies`), and those of the request of all images (`all_seconds`).
"""

from __future__ import annotations

import gc
import os
import sys
import time

WARM = 5
"""Requests before those that are timed: the first ones allocate."""
TIMED = 50


def main(saved_model: str, images_file: str, answers_file: str, threads: str) -> None:
    """Load the model, ask it, and write what it answers."""
    gc.disable()  # what is imported stays: to look for garbage in it takes a fifth of the time
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.modules["keras"] = None  # type: ignore[assignment]  # from now on an ImportError
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(int(threads))
    for gpu in tf.config.list_physical_devices("GPU"):  # the job's own process has its memory there
        tf.config.experimental.set_memory_growth(gpu, True)  # noqa: FBT003
    tf.config.experimental.enable_tensor_float_32_execution(False)  # noqa: FBT003  (as the job's own process evaluates)
    images = np.load(images_file, allow_pickle=False)
    serve = tf.saved_model.load(saved_model).signatures["serving_default"]

    def ask(some: np.ndarray) -> tuple[np.ndarray, float]:
        began = time.perf_counter()
        answer = serve(images=tf.constant(some))["probabilities"].numpy()
        return answer, time.perf_counter() - began

    for _ in range(WARM):
        ask(images[:1])
    latencies = [ask(images[row : row + 1])[1] for row in np.arange(TIMED) % len(images)]
    ask(images)
    probabilities, all_seconds = ask(images)
    np.savez(answers_file, probabilities=probabilities, latencies=latencies, all_seconds=all_seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # all is written; TensorFlow takes half a second to put itself away
