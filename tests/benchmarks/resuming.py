"""Cost of resuming: checkpoints, TensorFlow's op determinism, and termination on request."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

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
run_job(RunOptions(config=Path(sys.argv[2]), overrides=sys.argv[4:], root=Path(sys.argv[3]), until="trainer"))
print("SECONDS " + json.dumps(seconds))
"""


def measure_checkpoints(config: Path, overrides: list[str], roots: Path, *, times: int) -> dict[str, object]:
    """Train alternately as shipped, without checkpoints, and with op determinism; print and return the times."""
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
    for number in range(times):
        for name, (mode, more) in variants.items():
            root = roots / f"{name.replace(' ', '-')}-{number}"
            command = [sys.executable, "-c", TIMED_TRAINING, mode, str(config), str(root), *overrides, *more]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
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
    return {"walls": walls, "cpus": cpus, "write_seconds": write_seconds, "fractions": fractions}


def measure_termination(config: Path, overrides: list[str], root: Path, *, times: int) -> dict[str, object]:
    """Terminate a training again and again; print and return the seconds from SIGTERM to the exit."""
    options = [word for override in overrides for word in ("--set", override)]
    command = [sys.executable, "-m", "job", "run", "--config", str(config), "--root", str(root), *options]
    seconds = []
    for number in range(times):
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("  epoch" if number == 0 else "  resumed"):
                    break
            time.sleep(2.5 + number / 2)  # into the next epoch, after its graph is traced
            requested = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
            assert process.wait() == 143
            seconds.append(time.perf_counter() - requested)
    print(f"SIGTERM to exit 143 in training: median {statistics.median(seconds):.2f} s, maximum {max(seconds):.2f} s")
    return {"seconds": seconds}
