"""Cost of training on several workers: CPU time and bytes on the wire per step, and a model of the time of a step.

Each worker has its network namespace, whose interface counts the bytes. All workers share the processors of this
machine: CPU time and bytes are also those of several machines, but the wall time is not.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

from components.base.cluster import Cluster
from components.testing.fakes import FakeExampleGen
from tests.benchmarks.disturbance import Disturbance, Watch, undisturbed, undisturbed_runs
from tests.benchmarks.results import ResultsFile
from tests.support import namespaces
from tests.support.workers import Worker, make_root, run_workers

COUNTS = (1, 2, 3)
IMAGES_PER_CLASS, CLASSES = 600, 10
SETTINGS: dict[str, Any] = {"epochs": 2, "monitor": "epoch", "exports": []}
"""The second epoch is measured: in the first one, TensorFlow traces the graph."""
FIRST_STEP = 4
NETWORKS: dict[str, dict[str, Any]] = {
    "built-in": {},
    "with batch normalization": {"batch_normalization": True},
    "with 2.3 million parameters": {"dense": [2048, 512]},
}
GIGABITS = (10, 100)
MODEL_COUNTS = (1, 2, 4, 8, 16, 32)
LATENCY_SECONDS = 50e-6
"""Latency of a message between two machines; a ring of n workers passes 2 (n - 1) messages one after the other."""
RINGS = 3
"""Ring operations of a step, one after the other: gradients, loss, probabilities."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A network whose step is modelled."""

    name: str
    seconds: float
    """Of a step on one machine: the measured CPU time of one device, or an assumption."""
    parameters: int
    added_per_worker: float
    """What each additional worker adds: n workers together use 1 + added_per_worker (n - 1) times the CPU time of one
    device. Above 1, sums over all workers cost more than the step itself."""


MODELS = (
    Model(name="the built-in network", seconds=0.029, parameters=138_506, added_per_worker=0.5),
    Model(name="the same with batch normalization", seconds=0.032, parameters=138_700, added_per_worker=1.25),
    Model(name="ResNet-50, if nothing is added", seconds=0.5, parameters=25_600_000, added_per_worker=0.0),
)


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """Mean cost of a step over the measured steps."""

    network: str
    workers: int
    cpu_seconds: float
    """Of all workers together."""
    sent_bytes: float
    """By each worker."""
    disturbance: Disturbance
    """Of the whole training."""


def measure_workers(scratch: Path, *, times: int, attempts: int, results: ResultsFile) -> None:
    """Measure and print the cost of a step of each network on each number of workers, and the model.

    Args:
        scratch: folder for the images.
        times: number of trainings of each network on each number of workers.
        attempts: see `undisturbed`.
        results: receives every training in the section `workers`.
    """
    if reason := namespaces.why_skipped():
        print(f"not measured: {reason}")
        return
    example_gen = FakeExampleGen(FakeExampleGen.Config(classes=CLASSES, per_class=IMAGES_PER_CLASS, size=28))
    root = make_root(scratch / "workers", example_gen)
    measure_step(root, next(iter(NETWORKS)), 1)  # not counted: it starts the fork server, which imports TensorFlow
    for network in NETWORKS:
        alone = 0.0
        for count in COUNTS:
            once = partial(measure_step, root, network, count)
            costs = [undisturbed(once, attrgetter("disturbance"), attempts=attempts) for _ in range(times)]
            for cost in costs:
                results.append("workers", cost)
            cpu_seconds = statistics.median(
                cost.cpu_seconds for cost in undisturbed_runs(costs, attrgetter("disturbance"))
            )
            disturbed = sum(cost.disturbance.is_disturbed for cost in costs)
            sent_bytes = statistics.median(cost.sent_bytes for cost in costs)
            alone = alone or cpu_seconds
            print(
                f"{network:<28} {count} workers {1000 * cpu_seconds:8.1f} ms of CPU {cpu_seconds / alone:6.2f} times"
                f" {sent_bytes / 1e6:8.3f} MB sent by each  {disturbed} disturbed",
                flush=True,
            )
    print_model()


def measure_step(root: Path, network: str, count: int) -> StepCost:
    """Train on workers in separate namespaces, and return the mean cost of a step of the second epoch."""
    with namespaces.namespaces(count) as names:
        addresses = tuple(f"{namespaces.address(index)}:2222" for index in range(count))
        settings = {**SETTINGS, "network": NETWORKS[network], "strategy": "multi_worker" if count > 1 else "one_device"}
        fingerprint = f"{network} {count} {time.time_ns()}"  # no training resumes from checkpoints of another one
        watch = Watch()
        ended = run_workers(
            [
                Worker(
                    root=root,
                    settings=settings,
                    fingerprint=fingerprint,
                    cluster=Cluster(workers=addresses, index=index, source="the benchmark"),
                    namespace=name,
                )
                for index, name in enumerate(names)
            ]
        )
        if any(ended.codes):
            raise SystemExit(f"error: {ended.results}")
        disturbance = watch.stop(sum(result["cpu_seconds"] for result in ended.results))
    cpu, sent = 0.0, []
    for result in ended.results:
        marks = [mark for mark in result["marks"] if mark["epoch"] == 2 and mark["step"] >= FIRST_STEP]
        steps = marks[-1]["step"] - marks[0]["step"]
        cpu += (marks[-1]["cpu_seconds"] - marks[0]["cpu_seconds"]) / steps
        sent.append((marks[-1]["sent_bytes"] - marks[0]["sent_bytes"]) / steps)
    return StepCost(
        network=network, workers=count, cpu_seconds=cpu, sent_bytes=statistics.mean(sent), disturbance=disturbance
    )


def modelled_step(model: Model, *, workers: int, gigabits: float) -> float:
    """Return the modelled seconds of a step with the same global batch on several machines.

    They share the computation evenly. A ring adds float32 gradients, and its messages wait for each other.
    """
    compute = model.seconds * (1 + model.added_per_worker * (workers - 1)) / workers
    bits = 2 * (workers - 1) / workers * model.parameters * 32
    latency = 2 * (workers - 1) * LATENCY_SECONDS * RINGS
    return compute + bits / (gigabits * 1e9) + latency


def print_model() -> None:
    """Print the modelled speedup of a step for each number of machines."""
    for model in MODELS:
        for gigabits in GIGABITS:
            times = [modelled_step(model, workers=count, gigabits=gigabits) for count in MODEL_COUNTS]
            ratios = [f"{count}: {times[0] / each:.1f}" for count, each in zip(MODEL_COUNTS, times, strict=True)]
            print(
                f"modelled speedup, {model.name}, {1000 * model.seconds:.0f} ms, {gigabits} Gbit/s: {'  '.join(ratios)}"
            )
