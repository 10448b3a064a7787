"""TensorFlow, brought up in one way: quiet, with as many threads as the container allows, on one device."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any, Literal

from components.base.errors import ResourceError
from components.runtime.resources import cpu_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

Device = Literal["auto", "cpu", "gpu"]
NO_DEVICE = 100
"""`CUDA_ERROR_NO_DEVICE` of the CUDA driver API: also where CUDA_VISIBLE_DEVICES hides them all."""


def import_tensorflow() -> Any:
    """Import TensorFlow and return it, with its log lines below an error kept quiet.

    TensorFlow sizes its thread pools by the host's processors; this sizes them by what the
    container may use (`components.runtime.resources.cpu_limit`).
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with quiet_stderr():
        import tensorflow as tf
        from absl import logging as absl_logging

        gpus = tf.config.list_physical_devices("GPU")  # the driver's own complaint, where there is none
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    threads = cpu_limit()
    # Refused once TensorFlow has begun to work, as in a program that used it before us.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)  # noqa: FBT003  (TensorFlow's own signature)
    return tf


@contextlib.contextmanager
def without_keras() -> Iterator[None]:
    """Keep Keras from being imported while the block runs; TensorFlow brings it along, but does without it.

    Where Keras is in memory already, it stays.
    """
    if "keras" in sys.modules:
        yield
        return
    sys.modules["keras"] = None  # type: ignore[assignment]  # an import of it is an ImportError
    try:
        yield
    finally:
        del sys.modules["keras"]


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what the process writes to its standard error, and let it through if the block fails.

    The libraries below TensorFlow log a few lines at load and while converting, which no setting can quiet.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def choose_device(tf: Any, device: Device) -> str:
    """Return the name of the device that training will be on, such as `CPU` or `GPU: NVIDIA H100`.

    Raises:
        ResourceError: if `gpu` is asked for and TensorFlow sees none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise _no_gpu("TensorFlow sees none")
    if device == "cpu" or not gpus:
        return "CPU"
    return f"GPU: {tf.config.experimental.get_device_details(gpus[0]).get('device_name', 'unknown')}"


def make_deterministic(tf: Any, device: str) -> None:
    """Have TensorFlow give the same bits for the same work on the same machine.

    On a GPU its fastest kernels add up in any order, unless they are told not to. On a CPU they do not:
    the README's table has what was measured. Products are rounded to TF32 as in a process that is new, whatever
    was asked `compute_exactly` in this one before.

    Args:
        tf: TensorFlow.
        device: as `choose_device` returned it.
    """
    tf.config.experimental.enable_tensor_float_32_execution(True)  # noqa: FBT003  (TensorFlow's own signature)
    if device != "CPU":
        tf.config.experimental.enable_op_determinism()


def compute_exactly(tf: Any) -> None:
    """Have GPUs multiply float32 numbers as such, with 23 bits; by default they round them to TF32, with 10."""
    tf.config.experimental.enable_tensor_float_32_execution(False)  # noqa: FBT003  (TensorFlow's own signature)


def require_gpu() -> None:
    """Raise now, without importing TensorFlow, if no NVIDIA GPU can be had.

    Raises:
        ResourceError: with the reason that `gpu_problem` gives.
    """
    if reason := gpu_problem():
        raise _no_gpu(reason)


def gpu_problem() -> str:
    """Return why no NVIDIA GPU can be had, or nothing if one can, without importing TensorFlow.

    Asks the driver itself (`cuInit`, `cuDeviceGetCount` of the CUDA driver API), which heeds
    CUDA_VISIBLE_DEVICES as TensorFlow does.
    """
    try:
        distribution("tensorflow-cpu")
    except PackageNotFoundError:
        pass
    else:
        return "the installed TensorFlow (tensorflow-cpu) is built without CUDA"
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "the NVIDIA driver (libcuda.so.1) is not here"
    count = ctypes.c_int(0)
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if status not in (0, NO_DEVICE):
        return f"the NVIDIA driver answers with CUDA error {status}"
    return "" if count.value else "the NVIDIA driver has no visible device"


def _no_gpu(reason: str) -> ResourceError:
    return ResourceError(
        f"the configuration asks for a GPU, but {reason}",
        expected="an NVIDIA GPU that TensorFlow can use, because trainer.device is `gpu`",
        remedy="run where there is one, or set trainer.device to `auto` or `cpu`",
    )
