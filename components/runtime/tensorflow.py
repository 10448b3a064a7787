"""TensorFlow's start-up: quiet, with as many threads as the container allows, on one device."""

import contextlib
import ctypes
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Literal

from components.base.errors import ConfigError, ResourceError
from components.base.standard_error import quiet_stderr
from components.runtime.resources import cpu_limit

Device = Literal["auto", "cpu", "gpu"]
WILDCARDS = frozenset("*?[]\\")


def import_tensorflow() -> Any:
    """Import and return TensorFlow, without its log messages below the level of errors.

    TensorFlow sizes its thread pools by the processors of the host; this function sizes them by what the container
    may use (`components.runtime.resources.cpu_limit`).

    Raises:
        ConfigError: if there is no folder for temporary files.
    """
    temporary_folder()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with quiet_stderr():
        import tensorflow as tf
        from absl import logging as absl_logging

        gpus = tf.config.list_physical_devices("GPU")  # the driver writes a message if there is none
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    threads = cpu_limit()
    # TensorFlow raises RuntimeError if it is already in use, as in a program that used it before.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)  # noqa: FBT003  (TensorFlow's own signature)
    return tf


def temporary_folder() -> Path:
    """Return the folder for temporary files, which TensorFlow needs; raise ConfigError if there is none."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise ConfigError(
            f"TensorFlow needs a folder for temporary files: {error.strerror}",
            expected="one that this user can write to",
            remedy="set TMPDIR, or mount a writable folder at /tmp",
        ) from error


@contextlib.contextmanager
def without_keras() -> Iterator[None]:
    """Prevent the import of Keras while the block runs; TensorFlow imports it but works without it.

    If Keras is imported already, this does nothing.
    """
    if "keras" in sys.modules:
        yield
        return
    sys.modules["keras"] = None  # type: ignore[assignment]  # importing it raises ImportError
    try:
        yield
    finally:
        del sys.modules["keras"]


@contextlib.contextmanager
def without_wildcards(folder: Path) -> Iterator[Path]:
    """Yield a path of a folder, or of a link to it, without characters that TensorFlow's file system expands.

    TensorFlow searches the files of a SavedModel by a pattern, and finds none in a folder such as `runs [1]`.
    """
    if WILDCARDS.isdisjoint(str(folder)):
        yield folder
        return
    with tempfile.TemporaryDirectory() as scratch:
        link = Path(scratch, "folder")
        link.symlink_to(folder.absolute())
        yield link


def choose_device(tf: Any, device: Device) -> str:
    """Return the name of the device for training, such as `CPU` or `GPU: NVIDIA H100`."""
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise _no_gpu("TensorFlow finds none")
    if device == "cpu" or not gpus:
        return "CPU"
    return f"GPU: {tf.config.experimental.get_device_details(gpus[0]).get('device_name', 'unknown')}"


def make_deterministic(tf: Any, device: str) -> None:
    """Make TensorFlow compute identical bits for identical work on the same machine and `choose_device`'s device.

    On a GPU, its fastest kernels add numbers in varying order by default. On a CPU, bits depend only on the number of
    threads. TF32 is reset to its default, in case this process called `compute_exactly` before.
    """
    tf.config.experimental.enable_tensor_float_32_execution(True)  # noqa: FBT003  (TensorFlow's own signature)
    if device != "CPU":
        tf.config.experimental.enable_op_determinism()


def compute_exactly(tf: Any) -> None:
    """Make GPUs multiply float32 numbers with 23 bits; by default, they round them to TF32, with 10."""
    tf.config.experimental.enable_tensor_float_32_execution(False)  # noqa: FBT003  (TensorFlow's own signature)


def require_gpu() -> None:
    """Raise ResourceError if no NVIDIA GPU is available, without importing TensorFlow."""
    if reason := gpu_problem():
        raise _no_gpu(reason)


def gpu_problem() -> str:
    """Return why no NVIDIA GPU is available, or an empty string if one is, without importing TensorFlow.

    It calls the CUDA driver API, which respects CUDA_VISIBLE_DEVICES as TensorFlow does.
    """
    with contextlib.suppress(PackageNotFoundError):
        distribution("tensorflow-cpu")
        return "the installed TensorFlow (tensorflow-cpu) is built without CUDA"
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "the NVIDIA driver (libcuda.so.1) is not installed"
    count = ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if status not in (0, 100):  # CUDA_ERROR_NO_DEVICE: none, or CUDA_VISIBLE_DEVICES hides all devices
        return f"the NVIDIA driver returns CUDA error {status}"
    return "" if count.value else "the NVIDIA driver has no visible device"


def _no_gpu(reason: str) -> ResourceError:
    expected = "an NVIDIA GPU that TensorFlow can use, because trainer.device is `gpu`"
    remedy = "run on a machine that has one, or set trainer.device to `auto` or `cpu`"
    return ResourceError(f"the configuration requires a GPU, but {reason}", expected=expected, remedy=remedy)
