"""Cost of resuming: checkpoints, TensorFlow's op determinism, and termination on request."""

from __future__ import annotations

import json
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

from tests.benchmarks.disturbance import Disturbance, Watch, undisturbed
from tests.benchmarks.measure import measure_undisturbed, without
from tests.support.processes import REPOSITORY, environment

ENDLESS = ("trainer.epochs=10000", "trainer.monitor=epoch")
"""The training that is terminated: too long to end, and without early stopping."""
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


def measure_checkpoints(
    config: Path, overrides: list[str], roots: Path, *, times: int, timeout: float, attempts: int
) -> dict[str, Any]:
    """Train alternately as shipped, without checkpoints, and with op determinism; print and return the times.

    Args:
        config: the configuration.
        overrides: values of its keys.
        roots: folder for the root of each training.
        times: number of trainings of each kind.
        timeout: seconds for each training.
        attempts: see `undisturbed`.
    """
    variants = {
        "as shipped": ("plain", []),
        "no checkpoint but the last": ("plain", ["trainer.checkpoint.every_seconds=0"]),
        "op determinism": ("deterministic", []),
    }
    walls: dict[str, list[float]] = {name: [] for name in variants}
    cpus: dict[str, list[float]] = {name: [] for name in variants}
    weights: dict[str, set[str]] = {name: set() for name in variants}
    write_seconds: list[float] = []
    fractions: list[float] = []
    disturbances: list[Disturbance] = []
    for number in range(times):
        for name, (mode, more) in variants.items():
            root = roots / f"{name.replace(' ', '-')}-{number}"
            command = [sys.executable, "-c", TIMED_TRAINING, mode, str(config), str(root), *overrides, *more]
            done = measure_undisturbed(without(root, command), timeout=timeout, attempts=attempts)
            if done.failure:
                raise SystemExit(f"error: training, {name}: {done.failure}")
            disturbances.append(done.disturbance)
            latest = root / "runs" / "latest"
            (step,) = json.loads((latest / "run.json").read_text())["steps"][2:]
            walls[name].append(step["seconds"])
            cpus[name].append(step["cpu_seconds"])
            weights[name].add(json.loads((latest / "trainer/manifest.json").read_text())["artifact"]["weights_sha256"])
            if name == "as shipped":
                seconds = json.loads(done.stdout.splitlines()[-1].removeprefix("SECONDS "))
                write_seconds += seconds
                fractions.append(sum(seconds) / step["seconds"])
    shipped_wall, shipped_cpu = statistics.median(walls["as shipped"]), statistics.median(cpus["as shipped"])
    for name in variants:
        wall, cpu = statistics.median(walls[name]), statistics.median(cpus[name])
        print(
            f"training, {name:<28} {times} {wall:8.2f} s {cpu:8.2f} cpu s  ratios to shipped"
            f" {wall / shipped_wall:.3f} {cpu / shipped_cpu:.3f}  {len(weights[name])} different weights",
            flush=True,
        )
    print(
        f"a checkpoint: {1000 * statistics.median(write_seconds):.1f} ms (maximum {1000 * max(write_seconds):.1f}), "
        f"{len(write_seconds) / times:.0f} in a training, {statistics.median(fractions):.3%} of its time",
        flush=True,
    )
    return {
        "walls": walls,
        "cpus": cpus,
        "write_seconds": write_seconds,
        "fractions": fractions,
        "disturbances": disturbances,
    }


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
        undisturbed(partial(_terminate, command, delay=2.5 + number / 2), attrgetter("disturbance"), attempts=attempts)
        for number in range(times)
    ]
    seconds = [one.seconds for one in found]
    print(f"SIGTERM to exit 143 in training: median {statistics.median(seconds):.2f} s, maximum {max(seconds):.2f} s")
    return found


def _terminate(command: Sequence[str], *, delay: float) -> Termination:
    """Send SIGTERM to a run, some seconds after its first epoch or after it has resumed."""
    before, watch = _cpu_of_ended_processes(), Watch()
    env = {**environment(), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith((" epoch", "  resumed")):
                break
        time.sleep(delay)
        requested = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        if (code := process.wait()) != 143:
            raise SystemExit(f"error: a terminated training ended with exit code {code}, not 143")
        seconds = time.perf_counter() - requested
    return Termination(seconds=seconds, disturbance=watch.stop(_cpu_of_ended_processes() - before))


def _cpu_of_ended_processes() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
