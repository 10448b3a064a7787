"""Devices put to work: one step of a jitted convolution on each, as the smoke test of an installation."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from components.base.errors import one_line
from components.runtime.resources import processor

FILTERS = 4
IMAGES = (8, 34, 34, 1)
"""What comes out is 32x32: all means are over powers of two, which a GPU's TF32 holds exactly."""
TOLERANCE = 1e-5


@dataclass(frozen=True, kw_only=True)
class CheckedDevice:
    """A device, and how it did.

    Attributes:
        name: TensorFlow's name for it, such as `GPU:0`.
        model: what it is, such as `NVIDIA H100, compute capability 9.0`.
        seconds: wall time of the first step, its compilation included.
        failure: what went wrong, in one line; empty if nothing did.
    """

    name: str
    model: str
    seconds: float
    failure: str


def cuda_build(tf: Any) -> dict[str, str] | None:
    """Return the versions that TensorFlow was built with, `cuda` and `cudnn`; None where it was built without CUDA."""
    built = tf.sysconfig.get_build_info()
    if not built.get("is_cuda_build"):
        return None
    return {"cuda": str(built.get("cuda_version", "unknown")), "cudnn": str(built.get("cudnn_version", "unknown"))}


def check_devices(tf: Any) -> list[CheckedDevice]:
    """Let each device that TensorFlow sees take one step of a convolution, compiled by XLA.

    On a GPU that needs all that training may need: the driver, cuDNN, and XLA's way to `ptxas` and `libdevice`.
    """
    try:
        found = sorted(tf.config.list_logical_devices(), key=lambda device: device.name)
        models = {device.name.removeprefix("/device:"): _model(tf, device) for device in found}
    except Exception as error:  # as of a GPU that another process holds for itself
        return [CheckedDevice(name="the list of devices", model="", seconds=0.0, failure=one_line(error))]
    return [check_device(tf, name, model) for name, model in models.items() if name.startswith(("CPU:", "GPU:"))]


def check_device(tf: Any, name: str, model: str = "") -> CheckedDevice:
    """Let one device take the step, and hold what it gives against what is known on paper.

    Args:
        tf: TensorFlow.
        name: the device, such as `CPU:0`.
        model: what it is.
    """
    began = time.perf_counter()
    try:
        failure = _finding(name, *_step(tf, name))
    except Exception as error:  # whatever TensorFlow, XLA, CUDA or the driver raise
        failure = one_line(error)
    return CheckedDevice(name=name, model=model, seconds=time.perf_counter() - began, failure=failure)


def _finding(name: str, loss: Any, gradient: Any) -> str:
    """Return what is wrong with the result of a step; empty if nothing is."""
    if not loss.device.endswith(f":{name}"):
        return f"TensorFlow used {loss.device} instead"
    # Of ones, a kernel of 3x3 ones makes nines; their mean grows by 1 / FILTERS with each of its weights.
    if abs(loss.numpy() - 9) > TOLERANCE:
        return f"the convolution is wrong: {loss.numpy()} instead of 9"
    if (off := abs(gradient.numpy() - 1 / FILTERS).max()) > TOLERANCE:
        return f"the gradient of the convolution is wrong, by up to {off:.2g}"
    return ""


def _step(tf: Any, device: str) -> Any:
    """Return the loss, and its gradient by the kernel [3, 3, 1, FILTERS], of one step on a device."""

    def step(images: Any, kernel: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            loss = tf.reduce_mean(tf.nn.conv2d(images, kernel, strides=1, padding="VALID"))
        return loss, tape.gradient(loss, kernel)

    with tf.device(f"/{device}"):
        compiled = tf.function(step, jit_compile=True, autograph=False)
        return compiled(tf.ones(IMAGES), tf.ones((3, 3, 1, FILTERS)))


def _model(tf: Any, device: Any) -> str:
    if device.device_type == "CPU":
        return processor()
    number = int(device.name.rpartition(":")[2])
    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[number])
    major, minor = details.get("compute_capability", ("?", "?"))
    return f"{details.get('device_name', 'unknown')}, compute capability {major}.{minor}"
