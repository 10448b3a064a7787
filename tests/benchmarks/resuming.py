"""Cost of resuming: checkpoints, TensorFlow's op determinism, and termination on request."""

from __future__ import annotations

import json
import resource
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path

from tests.benchmarks.disturbance import Disturbance, Watch, undisturbed, undisturbed_runs
from tests.benchmarks.measure import measure_undisturbed, without
from tests.benchmarks.table import number, percent, print_table
from tests.benchmarks.terminate import terminate_in_training

ENDLESS = ("trainer.epochs=10000", "trainer.monitor=epoch")
"""Settings of the training that is terminated: it does not end before."""
TIMED_TRAINING = """
import json, sys, time
from pathlib import Path
from components.runtime.tensorflow import import_tensorflow
tf = import_tensorflow()
if sys.argv[1] == "deterministic":
    tf.config.experimental.enable_op_determinism()
from components.trainer.checkpoint import Checkpoints
write, seconds = Checkpoints.write, []
def timed(checkpoints, record, arrays):
    started = time.perf_counter()
    write(checkpoints, record, arrays)
    seconds.append(time.perf_counter() - started)
Checkpoints.write = timed
from job.commands.run import run_job
from job.options import RunOptions
from job.signals import Signals
options = RunOptions(config=Path(sys.argv[2]), overrides=sys.argv[4:], root=Path(sys.argv[3]), until="trainer")
run_job(options, Signals())
print("SECONDS " + json.dumps(seconds))
"""


VARIANTS: dict[str, tuple[str, list[str]]] = {
    "as shipped": ("plain", []),
    "no checkpoint but the last": ("plain", ["trainer.checkpoint.every_seconds=0"]),
    "op determinism": ("deterministic", []),
}
"""For each variant of the training, the argument of `TIMED_TRAINING` and settings."""


@dataclass(frozen=True, kw_only=True)
class TimedTraining:
    """A training and the checkpoints that it wrote.

    Attributes:
        variant: its name.
        seconds: of the Trainer's step.
        cpu_seconds: of the Trainer's step.
        weights_sha256: of the trained network.
        checkpoint_seconds: of each checkpoint.
        disturbance: what other programs did meanwhile.
    """

    variant: str
    seconds: float
    cpu_seconds: float
    weights_sha256: str
    checkpoint_seconds: Sequence[float]
    disturbance: Disturbance


def measure_checkpoints(
    config: Path, overrides: list[str], roots: Path, *, times: int, timeout: float, attempts: int
) -> list[TimedTraining]:
    """Train alternately as shipped, without checkpoints, and with op determinism; print and return the times.

    Args:
        config: the configuration.
        overrides: values of its keys.
        roots: folder for the root of each training.
        times: number of trainings of each variant.
        timeout: seconds for each training.
        attempts: see `undisturbed`.
    """
    trainings: dict[str, list[TimedTraining]] = {variant: [] for variant in VARIANTS}
    for round_number in range(times):
        for variant, (mode, more) in VARIANTS.items():
            root = roots / f"{variant.replace(' ', '-')}-{round_number}"
            command = [sys.executable, "-c", TIMED_TRAINING, mode, str(config), str(root), *overrides, *more]
            done = measure_undisturbed(without(root, command), timeout=timeout, attempts=attempts)
            if done.failure:
                raise SystemExit(f"error: training, {variant}: {done.failure}")
            latest = root / "runs" / "latest"
            (step,) = json.loads((latest / "run.json").read_text())["steps"][2:]
            model = json.loads((latest / "trainer" / "manifest.json").read_text())["artifact"]
            training = TimedTraining(
                variant=variant,
                seconds=step["seconds"],
                cpu_seconds=step["cpu_seconds"],
                weights_sha256=model["weights_sha256"],
                checkpoint_seconds=json.loads(done.stdout.splitlines()[-1].removeprefix("SECONDS ")),
                disturbance=done.disturbance,
            )
            trainings[variant].append(training)
    _print_trainings(trainings)
    return [training for own in trainings.values() for training in own]


def _print_trainings(trainings: Mapping[str, Sequence[TimedTraining]]) -> None:
    """Print the medians of each variant, and those of the checkpoints of the first one."""
    quiet = {variant: undisturbed_runs(own, attrgetter("disturbance")) for variant, own in trainings.items()}
    medians = {
        variant: (statistics.median(one.seconds for one in own), statistics.median(one.cpu_seconds for one in own))
        for variant, own in quiet.items()
    }
    shipped, *_ = quiet
    rows = [
        (
            variant,
            str(len(own)),
            str(sum(one.disturbance.is_disturbed for one in own)),
            number(medians[variant][0]),
            number(medians[variant][1]),
            number(medians[variant][0] / medians[shipped][0], 3),
            number(medians[variant][1] / medians[shipped][1], 3),
            str(len({one.weights_sha256 for one in own})),
        )
        for variant, own in trainings.items()
    ]
    print_table(
        ("training, medians", "n", "disturbed", "s", "cpu s", "s / shipped", "cpu / shipped", "different weights"), rows
    )
    seconds = [each for one in quiet[shipped] for each in one.checkpoint_seconds]
    fraction = statistics.median(sum(one.checkpoint_seconds) / one.seconds for one in quiet[shipped])
    print(
        f"a checkpoint: {1000 * statistics.median(seconds):.1f} ms (maximum {1000 * max(seconds):.1f}), "
        f"{len(seconds) / len(quiet[shipped]):.0f} in a training, {percent(fraction)} % of its time",
        flush=True,
    )


@dataclass(frozen=True, kw_only=True)
class Termination:
    """A training that was terminated; `seconds` from SIGTERM to the exit."""

    seconds: float
    disturbance: Disturbance


def measure_termination(
    config: Path, overrides: list[str], root: Path, *, times: int, attempts: int
) -> list[Termination]:
    """Terminate a long training again and again, at different moments of its epochs; print and return the times.

    Args:
        config: the configuration.
        overrides: values of its keys.
        root: the root, in which each run resumes the one before.
        times: number of terminations.
        attempts: see `undisturbed`.
    """
    options = [word for override in (*overrides, *ENDLESS) for word in ("--set", override)]
    command = [sys.executable, "-m", "job", "run", "--config", str(config), "--root", str(root), *options]
    found = [
        undisturbed(partial(_terminate, command, delay=2.5 + moment / 2), attrgetter("disturbance"), attempts=attempts)
        for moment in range(times)
    ]
    quiet = undisturbed_runs(found, attrgetter("disturbance"))
    seconds = [one.seconds for one in quiet]
    print(
        f"SIGTERM to exit 143 in training, {len(quiet)} runs: median {statistics.median(seconds):.2f} s, "
        f"maximum {max(seconds):.2f} s"
    )
    return found


def _terminate(command: Sequence[str], *, delay: float) -> Termination:
    before, watch = _cpu_of_ended_processes(), Watch()
    code, seconds = terminate_in_training(command, delay=delay)
    if code != 143:
        raise SystemExit(f"error: a terminated training ended with exit code {code}, not 143")
    return Termination(seconds=seconds, disturbance=watch.stop(_cpu_of_ended_processes() - before))


def _cpu_of_ended_processes() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
