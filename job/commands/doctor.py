"""Command `doctor`: check versions, devices, limits and folders before a run depends on them."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape

from components.base.errors import ConfigError, ExitCode, JobError, ResourceError, one_line
from components.base.formatting import format_size
from components.object_storage import Location, ObjectUrl
from components.object_storage.guarantees import Guarantee, check_guarantees
from components.runtime.devices import CheckedDevice, check_devices, cuda_build
from components.runtime.tensorflow import gpu_problem, import_tensorflow
from job.commands.check_cluster import CheckedCluster, check_cluster
from job.commands.places import TEMPORARY, Place, check_places
from job.reporters.terminal import make_console, print_error, print_json, print_text
from job.runner.environment import describe_environment


@dataclasses.dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Results of all checks."""

    environment: dict[str, Any]  # as in `run.json`
    broken: str  # why TensorFlow cannot be imported; empty if it can
    cuda: dict[str, str] | None  # versions that TensorFlow was built with; None without CUDA
    no_gpu: str  # why there is no GPU; empty if there is one
    devices: list[CheckedDevice]  # each after one training step
    places: list[Place]
    root: str  # path or URL
    guarantees: list[Guarantee]  # of the object store; empty for a local root
    cluster: CheckedCluster | None  # that the environment names, if it names one

    def failures(self, *, require_gpu: bool) -> Iterator[JobError]:
        """Yield the errors that a run would have here, causes before their effects."""
        for place in self.places:
            if place.needed and place.failure:
                headline, expected = f"{place.name}: {place.failure}", "a folder that the job can work in"
                yield _error(place.exit_code, headline, expected, place.remedy)
        for guarantee in self.guarantees:
            if guarantee.failure:
                headline = f"{guarantee.name}: {guarantee.failure}"
                yield _error(guarantee.exit_code, headline, guarantee.expected, guarantee.remedy)
        if self.cluster is not None:
            yield from self.cluster.failures()
        if self.broken:
            yield ResourceError(
                f"TensorFlow cannot be imported: {self.broken}",
                expected="TensorFlow as locked in requirements/",
                remedy="install the locked requirements again, or rebuild the image",
            )
        for device in self.devices:
            if device.failure:
                yield ResourceError(
                    f"{device.name} does not work: {device.failure}",
                    expected="a correct step of a jitted convolution",
                    remedy="update the driver, use another machine, or hide the device (CUDA_VISIBLE_DEVICES)",
                )
        if require_gpu and self.no_gpu:
            yield ResourceError(
                f"a GPU is required, but {self.no_gpu}",
                expected="an NVIDIA GPU that TensorFlow can use",
                remedy="use a machine with a GPU (`docker run --gpus all`) and the image built for it",
            )


def doctor(root: Location, *, require_gpu: bool, as_json: bool) -> ExitCode:
    """Run all checks, print the results, and return the exit code of the first failure."""
    diagnosis = diagnose(root)
    failures = list(diagnosis.failures(require_gpu=require_gpu))
    if as_json:
        listed = [{"headline": failure.headline, "exit_code": int(failure.exit_code)} for failure in failures]
        print_json(dataclasses.asdict(diagnosis) | {"failures": listed})
    else:
        _print_diagnosis(make_console(), diagnosis)
        for failure in failures:
            print_error(make_console(stderr=True), failure)
    return failures[0].exit_code if failures else ExitCode.SUCCEEDED


def diagnose(root: Location) -> Diagnosis:
    """Run all checks for runs with this root."""
    places = list(check_places(root))
    broken, cuda, devices = "", None, []
    if any(place.name == TEMPORARY and place.failure for place in places):
        broken = "it needs temporary files"
    else:
        try:
            tf = import_tensorflow()
        except Exception as error:  # an inconsistent installation may raise anything
            broken = one_line(error)
        else:
            cuda, devices = cuda_build(tf), check_devices(tf)
    has_gpu = any(device.name.startswith("GPU") for device in devices)
    return Diagnosis(
        environment=describe_environment(),
        broken=broken,
        cuda=cuda,
        no_gpu="" if has_gpu else gpu_problem() or "TensorFlow finds none",
        devices=devices,
        places=places,
        root=str(root),
        guarantees=list(check_guarantees(root)) if isinstance(root, ObjectUrl) else [],
        cluster=check_cluster(),
    )


def _error(exit_code: ExitCode, headline: str, expected: str, remedy: str) -> JobError:
    kind = ResourceError if exit_code == ExitCode.MISSING_RESOURCE else ConfigError
    return kind(headline, expected=expected, remedy=remedy)


def _print_diagnosis(console: Console, diagnosis: Diagnosis) -> None:
    environment, cuda = diagnosis.environment, diagnosis.cuda
    memory_limit = environment["memory_limit_bytes"]
    rows = [
        ("mnist-job", f"{environment['version']}, revision {environment['revision'] or 'unknown'}"),
        ("python", f"{environment['python']} on {environment['platform']}"),
        ("libraries", ", ".join(f"{name} {version}" for name, version in environment["libraries"].items())),
        ("CUDA", f"{cuda['cuda']} with cuDNN {cuda['cudnn']}" if cuda else "none: TensorFlow is built without it"),
        ("processors", f"{environment['cpu_limit']} of {environment['cpus']} available"),
        ("memory", f"limited to {format_size(memory_limit)}" if memory_limit else "not limited"),
    ]
    for device in diagnosis.devices:
        result = device.failure or "jitted convolution correct"
        rows.append((device.name, f"{device.model}: {result}, {device.seconds:.2f} s"))
    if diagnosis.no_gpu:
        rows.append(("GPU", f"none: {diagnosis.no_gpu}"))
    for place in diagnosis.places:
        free = "" if place.free_bytes is None else f"writable, {format_size(place.free_bytes)} free"
        rows.append((place.name, f"{place.path}: {place.failure or free}"))
    if diagnosis.guarantees:
        rows.append(("root", diagnosis.root))
    rows.extend((f"  {item.name}", item.failure or item.detail) for item in diagnosis.guarantees)
    rows.extend([] if diagnosis.cluster is None else diagnosis.cluster.rows())
    for label, text in rows:
        print_text(console, f"{label:<15} ", escape(text))
