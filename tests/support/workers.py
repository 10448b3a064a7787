"""Training on several workers on loopback, each of them a process.

The processes are forked from one that has imported TensorFlow, because the import takes seconds.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components import Context, Stored, Trainer, TransformedExamples
from components.artifacts import Epoch
from components.base.cluster import Cluster
from components.base.errors import JobError
from components.base.progress import NoProgress
from components.runtime import collectives
from components.testing import FakeExampleGen, FakeTransform
from job.signals import Signals
from tests.support import namespaces
from tests.support.ports import free_ports

END_SECONDS = 300
"""Time limit for all processes; a lost worker is detected within 30 s."""
PRELOADED = "tests.support.workers_imports"
PROCESSES = multiprocessing.get_context("forkserver")
CHECKPOINTS, INPUTS, RECORD = "checkpoints", "transformed", "transformed.json"


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One process of a training; `cluster` is None if it trains alone."""

    root: Path
    settings: dict[str, Any]
    cluster: Cluster | None = None
    fingerprint: str = "this training"
    start_seconds: int = collectives.START_SECONDS
    """Time limit for TensorFlow to connect the workers."""
    devices: int = 1
    """Number of logical devices into which its CPU is divided."""
    steps_before: bool = False
    """Whether earlier steps used TensorFlow in the process."""
    rounding_error: float = 0.0
    """Added to its validation metrics."""
    signals: Mapping[tuple[int, int], signal.Signals] = field(default_factory=dict)
    """Signals that it sends to itself, by epoch and step."""
    commands: Mapping[tuple[int, int], Sequence[str]] = field(default_factory=dict)
    """Commands that it runs, by epoch and step."""
    namespace: str = ""
    """The network namespace in which it runs, and where it measures the cost of each step."""

    @property
    def index(self) -> int:
        return 0 if self.cluster is None else self.cluster.index

    @property
    def result_file(self) -> Path:
        return self.root / f"result-{self.index}.json"

    def run(self) -> None:
        """Train, write the result, and end the process with the exit code of a job."""
        import tensorflow as tf

        from components.trainer.training_loop import TrainingLoop

        collectives.START_SECONDS = self.start_seconds
        validate = TrainingLoop.validate
        TrainingLoop.validate = lambda loop: {  # type: ignore[method-assign,assignment]
            name: value + self.rounding_error for name, value in validate(loop).items()
        }
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * self.devices
        )
        if self.steps_before:
            tf.constant(1.0) + 1
        output = self.root / f"output-{self.index}-{os.getpid()}"
        output.mkdir()
        if self.namespace:
            namespaces.enter(self.namespace)
        progress, signals = RecordedProgress(self), Signals()
        result: dict[str, Any] = {}
        code = 0
        try:
            with signals.installed(), signals.interruptible():
                context = Context(
                    output=output,
                    progress=progress,
                    termination=signals,
                    cluster=self.cluster,
                    fingerprint=self.fingerprint,
                    checkpoints=self.root / CHECKPOINTS if self.index == 0 else None,
                )
                artifact = TransformedExamples.model_validate_json((self.root / RECORD).read_text())
                transformed = Stored(artifact, self.root / INPUTS)
                trainer = Trainer(Trainer.Config.model_validate(self.settings))
                model = trainer.run(context, transformed=transformed)
                result = {"weights": model.weights_sha256, "device": model.environment.device}
                result["history"] = [row.model_dump() for row in model.history]
        except JobError as error:
            code, result = int(error.exit_code), {"error": f"{type(error).__name__}: {error.headline}"}
        finally:
            result |= {"messages": progress.messages, "resumed": progress.resumptions, "marks": progress.marks}
            result["cpu_seconds"] = time.process_time()
            self.result_file.write_text(json.dumps(result))
        os._exit(code)


class RecordedProgress(NoProgress):
    """Records warnings and where training resumed; sends signals and runs commands at the planned steps."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.messages: list[str] = []
        self.resumptions: list[tuple[int, int]] = []
        self.marks: list[dict[str, float]] = []
        self.epoch = 0

    def warning(self, text: str) -> None:
        self.messages.append(text)

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:  # noqa: ARG002
        self.resumptions.append((epoch, step))

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:  # noqa: ARG002
        self.epoch = epoch

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None:  # noqa: ARG002
        if number := self.worker.signals.get((self.epoch, step)):
            os.kill(os.getpid(), number)
        if command := self.worker.commands.get((self.epoch, step)):
            subprocess.run(command, check=True)
        if self.worker.namespace:
            mark = {"cpu_seconds": time.process_time(), "sent_bytes": namespaces.sent_bytes()}
            self.marks.append({"epoch": self.epoch, "step": step, **mark})


@dataclass(frozen=True)
class Ended:
    """Exit codes and results of the workers; those that were killed have no result."""

    codes: list[int | None]
    results: list[dict[str, Any]]


def make_root(root: Path, example_gen: FakeExampleGen | None = None) -> Path:
    """Write the images that workers train on, and return the root."""
    for folder in ("examples", INPUTS):
        (root / folder).mkdir(parents=True)
    examples = (example_gen or FakeExampleGen()).run(Context(output=root / "examples"))
    transformed = FakeTransform().run(Context(output=root / INPUTS), examples=Stored(examples, root / "examples"))
    (root / RECORD).write_text(transformed.model_dump_json())
    return root


def cluster_of(count: int) -> list[Cluster]:
    """Return a cluster on loopback, for each of its workers."""
    workers = tuple(f"127.0.0.1:{port}" for port in free_ports(count))
    return [Cluster(workers=workers, index=index, source="the test") for index in range(count)]


def run_workers(workers: Sequence[Worker], *, left_alone: Sequence[int] = ()) -> Ended:
    """Run workers until all end; those of `left_alone`, which are stopped, are killed when all others have ended."""
    PROCESSES.set_forkserver_preload([PRELOADED])
    processes = [PROCESSES.Process(target=worker.run, daemon=True) for worker in workers]
    for worker in workers:
        worker.result_file.unlink(missing_ok=True)
    try:
        for process in processes:
            process.start()
        for process in (process for index, process in enumerate(processes) if index not in left_alone):
            process.join(END_SECONDS)
    finally:
        codes = [process.exitcode for process in processes]
        for process in processes:
            process.kill()
            process.join()
    files = [worker.result_file for worker in workers]
    return Ended(codes, [json.loads(file.read_text()) if file.exists() else {} for file in files])


def saved_weights(root: Path) -> list[Any]:
    """Return the weights of the newest checkpoint."""
    newest = max((root / CHECKPOINTS).iterdir())
    with np.load(newest / "state.npz") as arrays:
        return [arrays[name] for name in sorted(arrays) if name.startswith("network/")]
