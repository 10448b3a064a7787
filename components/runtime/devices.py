"""Smoke test of an installation: one step of a jit-compiled convolution on each device."""

import time
from dataclasses import dataclass
from typing import Any

from components.base.errors import one_line
from components.runtime.resources import processor

FILTERS = 4
TOLERANCE = 1e-5


@dataclass(frozen=True, kw_only=True)
class CheckedDevice:
    """A device and the result of its test."""

    name: str
    """TensorFlow's name, such as `GPU:0`."""
    model: str
    """Such as `NVIDIA H100, compute capability 9.0`."""
    seconds: float
    """Wall time of the first step, including compilation."""
    failure: str
    """The failure in one line; empty if the device works."""


def cuda_build(tf: Any) -> dict[str, str] | None:
    """Return the versions of `cuda` and `cudnn` that TensorFlow was built with; None if it was built without CUDA."""
    built = tf.sysconfig.get_build_info()
    if not built.get("is_cuda_build"):
        return None
    return {"cuda": str(built.get("cuda_version", "unknown")), "cudnn": str(built.get("cudnn_version", "unknown"))}


def check_devices(tf: Any) -> list[CheckedDevice]:
    """Run one step of a convolution, compiled by XLA, on each device that TensorFlow finds.

    On a GPU, it needs everything that training needs: the driver, cuDNN, and XLA's access to `ptxas` and `libdevice`.
    """
    try:
        found = sorted(tf.config.list_logical_devices(), key=lambda device: device.name)
        models = {device.name.removeprefix("/device:"): _model(tf, device) for device in found}
    except Exception as error:  # such as a GPU that another process uses exclusively
        return [CheckedDevice(name="the list of devices", model="", seconds=0.0, failure=one_line(error))]
    return [check_device(tf, name, model) for name, model in models.items() if name.startswith(("CPU:", "GPU:"))]


def check_device(tf: Any, name: str, model: str = "") -> CheckedDevice:
    """Run the step on one device, such as `CPU:0`, and compare the result with the exact one."""
    began = time.perf_counter()
    try:
        failure = _check_result(name, *_step(tf, name))
    except Exception as error:  # any error of TensorFlow, XLA, CUDA or the driver
        failure = one_line(error)
    return CheckedDevice(name=name, model=model, seconds=time.perf_counter() - began, failure=failure)


def _check_result(name: str, loss: Any, gradient: Any) -> str:
    if not loss.device.endswith(f":{name}"):
        return f"TensorFlow used {loss.device} instead"
    # On ones, a kernel of 3x3 ones gives nines; the gradient of their mean by each weight is 1 / FILTERS.
    if abs(loss.numpy() - 9) > TOLERANCE:
        return f"the convolution is wrong: {loss.numpy()} instead of 9"
    if (off := abs(gradient.numpy() - 1 / FILTERS).max()) > TOLERANCE:
        return f"the gradient of the convolution is wrong, by up to {off:.2g}"
    return ""


def _step(tf: Any, device: str) -> Any:
    """Return the loss of one step on a device, and its gradient by the kernel [3, 3, 1, FILTERS]."""

    def step(images: Any, kernel: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            loss = tf.reduce_mean(tf.nn.conv2d(images, kernel, strides=1, padding="VALID"))
        return loss, tape.gradient(loss, kernel)

    with tf.device(f"/{device}"):
        compiled = tf.function(step, jit_compile=True, autograph=False)
        # The output is 32x32, so that all means are over powers of two, which TF32 on GPUs represents exactly.
        return compiled(tf.ones((8, 34, 34, 1)), tf.ones((3, 3, 1, FILTERS)))


def _model(tf: Any, device: Any) -> str:
    if device.device_type == "CPU":
        return processor()
    number = int(device.name.rpartition(":")[2])
    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[number])
    major, minor = details.get("compute_capability", ("?", "?"))
    return f"{details.get('device_name', 'unknown')}, compute capability {major}.{minor}"
