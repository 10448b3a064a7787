"""Who is measured: the presets and the peers, how each is started, and how to read what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from components.base.errors import ExitCode
from tests.support.processes import REPOSITORY, environment

PEERS = Path(__file__).parent / "peers"
FAST = "mnist-fast"
TRAINING = "training"
"""What the job and `bare.py` call the part of their work that is training."""
FINISHED = (ExitCode.SUCCEEDED, ExitCode.NOT_BLESSED)
"""Exit codes of a job that ran to its end."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a contestant is given.

    Attributes:
        mnist: folder of the four IDX files.
        torch: interpreter that has PyTorch, or None.
    """

    mnist: Path
    torch: str | None


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a contestant says of itself.

    Attributes:
        accuracy: on the test images, if it trains to the end.
        training: CPU-seconds; None if it does not say.
        training_wall: seconds.
        aside: CPU-seconds that were spent to look at it, and are not its own.
        aside_wall: seconds.
        parts: CPU-seconds of everything else, by part.
        curve: after each epoch, test `accuracy` and `cpu_seconds` of training so far.
    """

    accuracy: float | None
    training: float | None
    training_wall: float | None
    aside: float = 0.0
    aside_wall: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)
    curve: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """Something to be measured.

    Attributes:
        name: as `--only` takes it.
        title: what it is.
        rounds: how often it runs, with the seeds 0, 1, ...
        quick: how often it runs in the quick form.
    """

    name: str
    title: str
    rounds: int
    quick: int = 0

    good: ClassVar[Sequence[int]] = (0,)

    def missing(self, place: Place) -> str:
        """Return why it cannot run here; nothing if it can."""
        raise NotImplementedError

    def command(self, place: Place, *, seed: int, scratch: Path) -> list[str]:
        """Return how it is started; it may write below `scratch`."""
        raise NotImplementedError

    def read(self, stdout: str) -> Told:
        """Return what it said."""
        raise NotImplementedError

    def corrected(self, scratch: Path) -> float | None:  # noqa: ARG002
        """Return its accuracy with the known label errors corrected, from what it wrote; None if that says nothing."""
        return None


class Preset(Contestant):
    """A whole job of a preset, from IDX files."""

    good: ClassVar[Sequence[int]] = FINISHED

    def missing(self, place: Place) -> str:  # noqa: ARG002
        return "" if config_of(self.name).exists() else f"configs/{self.name}.yaml is not here"

    def command(self, place: Place, *, seed: int, scratch: Path) -> list[str]:
        return job_command(self.name, place.mnist, root=scratch, overrides=(f"seed={seed}",))

    def read(self, stdout: str) -> Told:
        return read_job(json.loads(stdout))

    def corrected(self, scratch: Path) -> float | None:
        # In a process of its own: see `measuring`.
        command = [sys.executable, "-m", "tests.benchmarks.corrections", str(scratch / "runs" / "latest")]
        done = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=True)
        found: float | None = json.loads(done.stdout)
        return found


@dataclass(frozen=True, kw_only=True)
class Peer(Contestant):
    """A script of `peers/`.

    Attributes:
        script: its file.
        torch: whether it needs PyTorch.
        writes: whether it takes `--output`.
    """

    script: str
    torch: bool = False
    writes: bool = False

    def missing(self, place: Place) -> str:
        return "no interpreter with PyTorch (name one: TORCH=python)" if self.torch and not place.torch else ""

    def command(self, place: Place, *, seed: int, scratch: Path) -> list[str]:
        python = (place.torch if self.torch else None) or sys.executable
        output = ["--output", str(scratch)] if self.writes else []
        return [python, str(PEERS / self.script), str(place.mnist), "--seed", str(seed), *output]

    def read(self, stdout: str) -> Told:
        return read_peer(json.loads(stdout.splitlines()[-1]))


PRESETS = (
    Preset(name=FAST, title="job, mnist-fast", rounds=5, quick=1),
    Preset(name="mnist", title="job, mnist", rounds=5),
    Preset(name="mnist-best", title="job, mnist-best", rounds=5),
)
PLAIN = Peer(name="plain-keras", title="plain Keras script", rounds=3, script="plain_keras.py", writes=True)
RECORD = Peer(
    name="record", title="one-epoch record, PyTorch", rounds=5, quick=1, script="record_recipe.py", torch=True
)
BARE = Peer(name="bare", title="bare script, training left out", rounds=5, quick=1, script="bare.py", writes=True)
CONTESTANTS: tuple[Contestant, ...] = (
    *PRESETS,
    BARE,
    RECORD,
    PLAIN,
    Peer(name="keras-io", title="keras.io's example", rounds=1, script="keras_io.py"),
    Peer(name="pytorch-basic", title="PyTorch's basic example", rounds=1, script="pytorch_basic.py", torch=True),
)


def config_of(preset: str) -> Path:
    """Return the file of a preset."""
    return REPOSITORY / "configs" / f"{preset}.yaml"


def job_command(preset: str, mnist: Path, *, root: Path, overrides: Sequence[str] = ()) -> list[str]:
    """Return the command of a job from IDX files that prints its record."""
    settings = ("example_gen.source.kind=idx", f"example_gen.source.path={mnist.resolve()}", *overrides)
    options = [word for setting in settings for word in ("--set", setting)]
    begin = [sys.executable, "-m", "job", "run", "--config", str(config_of(preset)), "--root", str(root), "--json"]
    return [*begin, *options]


def read_job(record: Mapping[str, Any]) -> Told:
    """Read a run's record; one whose steps do not state their parts tells nothing of training alone."""
    training = training_wall = None
    parts: dict[str, float] = {}
    for step in record["steps"]:
        name, rest = step["component"], step["cpu_seconds"]
        for part in step.get("parts") or ():
            rest -= part["cpu_seconds"]
            if part["name"] == TRAINING:
                training = (training or 0.0) + part["cpu_seconds"]
                training_wall = (training_wall or 0.0) + part["seconds"]
            else:
                parts[f"{name}: {part['name']}"] = part["cpu_seconds"]
        parts[f"{name}: the rest" if step.get("parts") else name] = rest
    accuracy = (record.get("metrics") or {}).get("accuracy")
    return Told(accuracy=accuracy, training=training, training_wall=training_wall, parts=parts)


def read_peer(facts: Mapping[str, Any]) -> Told:
    """Read the line of JSON that a peer prints."""
    aside = facts.get("aside", {"seconds": 0.0, "cpu_seconds": 0.0})
    return Told(
        accuracy=facts["accuracy"],
        training=facts["training"]["cpu_seconds"],
        training_wall=facts["training"]["seconds"],
        aside=aside["cpu_seconds"],
        aside_wall=aside["seconds"],
        parts={part: seconds for part, seconds in facts.get("parts", {}).items() if part != TRAINING},
        curve=facts.get("curve", ()),
    )
