"""What this machine, or this image, offers the job: put to the test, before a run depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.base.errors import ConfigError, ResourceError, one_line
from components.runtime.devices import CheckedDevice, check_devices, cuda_build
from components.runtime.tensorflow import gpu_problem, import_tensorflow
from job.commands.places import TEMPORARY, Place, look_at_places
from job.runner.environment import describe_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from components.base.errors import JobError


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found.

    Attributes:
        environment: versions, processors, memory, as `run.json` states them.
        broken: why TensorFlow cannot be imported; empty if it can.
        cuda: the versions that TensorFlow was built with; None where it was built without CUDA.
        no_gpu: why there is no GPU; empty if there is one.
        devices: those that TensorFlow sees, each put to work.
        places: where the job writes.
    """

    environment: dict[str, Any]
    broken: str
    cuda: dict[str, str] | None
    no_gpu: str
    devices: list[CheckedDevice]
    places: list[Place]

    def failures(self, *, require_gpu: bool) -> Iterator[JobError]:
        """Yield what keeps the job from running here, causes before what follows from them.

        Args:
            require_gpu: whether it is a failure if there is no GPU.
        """
        for place in self.places:
            if place.needed and place.failure:
                yield ConfigError(
                    f"{place.name}: {place.failure}",
                    expected="a folder that the job may write to",
                    remedy=place.remedy,
                )
        if self.broken:
            yield ResourceError(
                f"TensorFlow cannot be imported: {self.broken}",
                expected="TensorFlow as requirements/ has it",
                remedy="install the locked requirements again, or rebuild the image",
            )
        for device in self.devices:
            if device.failure:
                yield ResourceError(
                    f"{device.name} does not work: {device.failure}",
                    expected="one step of a jitted convolution, and the right result",
                    remedy="update the driver, run elsewhere, or hide the device (CUDA_VISIBLE_DEVICES)",
                )
        if require_gpu and self.no_gpu:
            yield ResourceError(
                f"a GPU is required, but {self.no_gpu}",
                expected="an NVIDIA GPU that TensorFlow can use",
                remedy="run where there is one (`docker run --gpus all`), with an image built for it",
            )


def diagnose(root: Path) -> Diagnosis:
    """Look at versions, devices, limits and places, and try them.

    Args:
        root: where artifacts and runs would be kept.
    """
    places = list(look_at_places(root))
    broken, cuda, devices = "", None, []
    if any(place.name == TEMPORARY and place.failure for place in places):
        broken = "it needs temporary files"
    else:
        try:
            tf = import_tensorflow()
        except Exception as error:  # whatever an installation that does not fit together raises
            broken = one_line(error)
        else:
            cuda, devices = cuda_build(tf), check_devices(tf)
    seen = any(device.name.startswith("GPU") for device in devices)
    return Diagnosis(
        environment=describe_environment(),
        broken=broken,
        cuda=cuda,
        no_gpu="" if seen else gpu_problem() or "TensorFlow sees none",
        devices=devices,
        places=places,
    )
