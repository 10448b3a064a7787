"""The programs of the comparison, presets of the job and peers: how to start them and how to read their output."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from components.base.errors import ExitCode
from tests.benchmarks.disturbance import processors
from tests.support.processes import REPOSITORY, environment

PEERS = Path(__file__).parent / "peers"
FAST = "mnist-fast"
TRAINING = "training"
"""The name of the training part, in the run record of the job and in the output of `bare.py`."""
FINISHED = (ExitCode.SUCCEEDED, ExitCode.NOT_BLESSED)
"""Exit codes of a job that ran to its end."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs of a program.

    Attributes:
        mnist: folder of the four IDX files.
        torch: interpreter that can import PyTorch, or None.
    """

    mnist: Path
    torch: str | None


@dataclass(frozen=True, kw_only=True)
class ProgramOutput:
    """The values that a program reports about its run.

    Attributes:
        accuracy: on the test images, if it trains to the end.
        training: CPU-seconds of training; None if not reported.
        training_wall: seconds of training.
        excluded: CPU-seconds spent for the benchmark only.
        excluded_wall: seconds spent for the benchmark only.
        parts: CPU-seconds of everything else, by part.
        curve: for each epoch, the test `accuracy` and the `cpu_seconds` of training up to its end.
    """

    accuracy: float | None
    training: float | None
    training_wall: float | None
    excluded: float = 0.0
    excluded_wall: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)
    curve: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program to measure.

    Attributes:
        name: for the option `--only`.
        title: for tables.
        rounds: number of runs, with the seeds 0, 1, ...
        quick_rounds: number of runs with `--extent quick`.
        threads: number of processors that it may use, and of its threads; None for all.
    """

    name: str
    title: str
    rounds: int
    quick_rounds: int = 0
    threads: int | None = None

    success_codes: ClassVar[Sequence[int]] = (0,)

    def why_missing(self, inputs: Inputs) -> str:
        """Return why it cannot run on this machine; empty if it can."""
        raise NotImplementedError

    def command(self, inputs: Inputs, *, seed: int, scratch: Path) -> list[str]:
        """Return the command that starts it; it can write below `scratch`."""
        raise NotImplementedError

    def why_unavailable(self, inputs: Inputs) -> str:
        """Return why it, or the program that binds it to processors, is missing; empty if it can run."""
        if self.threads is not None and shutil.which("taskset") is None:
            return "no taskset, which binds a process to processors"
        return self.why_missing(inputs)

    def bound_command(self, inputs: Inputs, *, seed: int, scratch: Path) -> list[str]:
        """Return the command that starts it on its number of processors."""
        command = self.command(inputs, seed=seed, scratch=scratch)
        if self.threads is None:
            return command
        return ["taskset", "--cpu-list", ",".join(map(str, processors()[: self.threads])), *command]

    def parse(self, stdout: str) -> ProgramOutput:
        """Parse its standard output."""
        raise NotImplementedError

    def corrected_accuracy(self, scratch: Path) -> float | None:  # noqa: ARG002
        """Return the accuracy with corrected labels from the files below `scratch`, or None without the data for it."""
        return None


@dataclass(frozen=True, kw_only=True)
class Preset(Program):
    """A whole run of the job with a preset, from IDX files.

    Attributes:
        preset: its name; by default, that of the program.
        min_accuracy: the mean test accuracy that it claims.
        max_training: the CPU-seconds of training that it claims.
    """

    preset: str = ""
    min_accuracy: float | None = None
    max_training: float | None = None

    success_codes: ClassVar[Sequence[int]] = FINISHED

    def why_missing(self, inputs: Inputs) -> str:  # noqa: ARG002
        name = self.preset or self.name
        return "" if preset_path(name).exists() else f"configs/{name}.yaml does not exist"

    def command(self, inputs: Inputs, *, seed: int, scratch: Path) -> list[str]:
        return job_command(self.preset or self.name, inputs.mnist, root=scratch, overrides=(f"seed={seed}",))

    def parse(self, stdout: str) -> ProgramOutput:
        return parse_run_record(json.loads(stdout))

    def corrected_accuracy(self, scratch: Path) -> float | None:
        # In a separate process, to keep this one small: see `measure`.
        command = [sys.executable, "-m", "tests.benchmarks.corrections", str(scratch / "runs" / "latest")]
        done = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=True)
        found: float | None = json.loads(done.stdout)
        return found


@dataclass(frozen=True, kw_only=True)
class Peer(Program):
    """A script of `peers/`.

    Attributes:
        script: its file name.
        torch: whether it needs PyTorch.
        writes: whether it has the option `--output`.
    """

    script: str
    torch: bool = False
    writes: bool = False

    def why_missing(self, inputs: Inputs) -> str:
        return "no interpreter with PyTorch (set one: TORCH=python)" if self.torch and not inputs.torch else ""

    def command(self, inputs: Inputs, *, seed: int, scratch: Path) -> list[str]:
        python = (inputs.torch if self.torch else None) or sys.executable
        output = ["--output", str(scratch)] if self.writes else []
        return [python, str(PEERS / self.script), str(inputs.mnist), "--seed", str(seed), *output]

    def parse(self, stdout: str) -> ProgramOutput:
        return parse_peer_result(json.loads(stdout.splitlines()[-1]))


PRESETS = (
    Preset(name=FAST, title="job, mnist-fast", rounds=5, quick_rounds=1, min_accuracy=0.9905),
    Preset(name="mnist", title="job, mnist", rounds=5, min_accuracy=0.9955, max_training=90.0),
    Preset(name="mnist-best", title="job, mnist-best", rounds=5, min_accuracy=0.997),
    Preset(name="mnist-tiny", title="job, mnist-tiny", rounds=5, min_accuracy=0.99),
)
FAST_ON_ONE_THREAD = Preset(
    name=f"{FAST}-1", title="job, mnist-fast, one thread", rounds=5, quick_rounds=1, threads=1, preset=FAST
)
PLAIN = Peer(name="plain-keras", title="plain Keras script", rounds=3, script="plain_keras.py", writes=True)
RECORD = Peer(
    name="record", title="one-epoch record, PyTorch", rounds=5, quick_rounds=1, script="record_recipe.py", torch=True
)
RECORD_ON_ONE_THREAD = replace(RECORD, name="record-1", title="one-epoch record, one thread", threads=1)
BARE = Peer(name="bare", title="bare script without training", rounds=5, quick_rounds=1, script="bare.py", writes=True)
PROGRAMS: tuple[Program, ...] = (
    *PRESETS,
    FAST_ON_ONE_THREAD,
    BARE,
    RECORD,
    RECORD_ON_ONE_THREAD,
    PLAIN,
    Peer(name="keras-io", title="keras.io's example", rounds=1, script="keras_io.py"),
    Peer(name="pytorch-basic", title="PyTorch's basic example", rounds=1, script="pytorch_basic.py", torch=True),
)


def preset_path(preset: str) -> Path:
    """Return the configuration file of a preset."""
    return REPOSITORY / "configs" / f"{preset}.yaml"


def idx_source(mnist: Path) -> list[str]:
    """Return the overrides for images in IDX files."""
    return ["example_gen.source.kind=idx", f"example_gen.source.path={mnist.resolve()}"]


def job_command(preset: str, mnist: Path, *, root: Path, overrides: Sequence[str] = ()) -> list[str]:
    """Return the command of a run from IDX files that prints its run record."""
    settings = (*idx_source(mnist), *overrides)
    options = [word for setting in settings for word in ("--set", setting)]
    run = [sys.executable, "-m", "job", "run", "--config", str(preset_path(preset)), "--root", str(root), "--json"]
    return [*run, *options]


def parse_run_record(record: Mapping[str, Any]) -> ProgramOutput:
    """Parse a run record. `training` is None if no step has a part of that name."""
    training = training_wall = None
    parts: dict[str, float] = {}
    for step in record["steps"]:
        name, remaining = step["component"], step["cpu_seconds"]
        for part in step.get("parts") or ():
            remaining -= part["cpu_seconds"]
            if part["name"] == TRAINING:
                training = (training or 0.0) + part["cpu_seconds"]
                training_wall = (training_wall or 0.0) + part["seconds"]
            else:
                parts[f"{name}: {part['name']}"] = part["cpu_seconds"]
        parts[f"{name}: other" if step.get("parts") else name] = remaining
    accuracy = (record.get("metrics") or {}).get("accuracy")
    return ProgramOutput(accuracy=accuracy, training=training, training_wall=training_wall, parts=parts)


def parse_peer_result(result: Mapping[str, Any]) -> ProgramOutput:
    """Parse the JSON object that a peer prints last."""
    excluded = result.get("excluded", {"seconds": 0.0, "cpu_seconds": 0.0})
    return ProgramOutput(
        accuracy=result["accuracy"],
        training=result["training"]["cpu_seconds"],
        training_wall=result["training"]["seconds"],
        excluded=excluded["cpu_seconds"],
        excluded_wall=excluded["seconds"],
        parts={part: seconds for part, seconds in result.get("parts", {}).items() if part != TRAINING},
        curve=result.get("curve", ()),
    )
