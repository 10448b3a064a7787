"""Trainings of several workers on loopback, each in a process of its own.

The processes are forks of one that has imported TensorFlow already: otherwise each would spend seconds on that.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
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
from components.testing.contract import make_inputs
from job.signals import Signals
from tests.support.slurm import free_ports

END_SECONDS = 120
"""Within which all processes end; a lost worker is noticed within 30 s."""
PRELOADED = "tests.support.workers_imports"
PROCESSES = multiprocessing.get_context("forkserver")
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One process of a training; `cluster` is None if it trains alone."""

    root: Path
    settings: dict[str, Any]
    cluster: Cluster | None = None
    fingerprint: str = "this training"
    devices: int = 1
    """Into which its CPU is divided."""
    signals: Mapping[tuple[int, int], signal.Signals] = field(default_factory=dict)
    """Signals that it sends to itself, by epoch and step."""

    @property
    def index(self) -> int:
        return 0 if self.cluster is None else self.cluster.index

    @property
    def result_file(self) -> Path:
        return self.root / f"result-{self.index}.json"

    def run(self) -> None:
        """Train, write the result, and end the process with the exit code of a job."""
        import tensorflow as tf

        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * self.devices
        )
        output = self.root / f"output-{self.index}-{os.getpid()}"
        output.mkdir()
        progress, signals = RecordedProgress(self.signals), Signals()
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
                transformed = Stored(
                    TransformedExamples.model_validate_json((self.root / "transformed.json").read_text()),
                    self.root / "inputs" / "TransformedExamples",
                )
                trainer = Trainer(Trainer.Config.model_validate(self.settings))
                model = trainer.run(context, transformed=transformed)
                result = {"weights": model.weights_sha256, "device": model.environment.device}
                result["history"] = [row.model_dump() for row in model.history]
        except JobError as error:
            code, result = int(error.exit_code), {"error": f"{type(error).__name__}: {error.headline}"}
        finally:
            result |= {"messages": progress.messages, "resumed": progress.resumptions}
            self.result_file.write_text(json.dumps(result))
        os._exit(code)


class RecordedProgress(NoProgress):
    """Records warnings and where training resumed, and sends the planned signals to this process."""

    def __init__(self, signals: Mapping[tuple[int, int], signal.Signals]) -> None:
        self.signals = signals
        self.messages: list[str] = []
        self.resumptions: list[tuple[int, int]] = []
        self.epoch = 0

    def warning(self, text: str) -> None:
        self.messages.append(text)

    def resumed(self, *, epoch: int, step: int, history: Sequence[Epoch] = ()) -> None:  # noqa: ARG002
        self.resumptions.append((epoch, step))

    def epoch_begin(self, *, epoch: int, epochs: int, steps: int) -> None:  # noqa: ARG002
        self.epoch = epoch

    def training_step(self, *, step: int, images: int, metrics: Mapping[str, float]) -> None:  # noqa: ARG002
        if number := self.signals.get((self.epoch, step)):
            os.kill(os.getpid(), number)


@dataclass(frozen=True)
class Ended:
    """Exit codes and results of the workers; those that were killed have no result."""

    codes: list[int | None]
    results: list[dict[str, Any]]


def make_root(root: Path) -> Path:
    """Write the images that workers train on, and return the root."""
    root.mkdir(exist_ok=True)
    transformed = make_inputs(root / "inputs")[TransformedExamples]
    (root / "transformed.json").write_text(transformed.artifact.model_dump_json())
    return root


def cluster_of(count: int) -> list[Cluster]:
    """Return a cluster on loopback, as each of its workers finds it."""
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
