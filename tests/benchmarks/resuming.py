"""What resuming costs: checkpoints, ending on request, and TensorFlow's op determinism."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

WRAPPED = """
import json, sys, time
from components.runtime.tensorflow import import_tensorflow
tf = import_tensorflow()
if sys.argv[1] == "deterministic":
    tf.config.experimental.enable_op_determinism()
from components.trainer.checkpoint import Checkpoints
write, took = Checkpoints.write, []
def timed(checkpoints, record, arrays):
    began = time.perf_counter()
    write(checkpoints, record, arrays)
    took.append(time.perf_counter() - began)
Checkpoints.write = timed
from job.commands.run import run_job
from job.options import Request
from pathlib import Path
run_job(Request(config=Path(sys.argv[2]), overrides=sys.argv[4:], root=Path(sys.argv[3]), until="trainer"))
print("TOOK " + json.dumps(took))
"""


def measure_resuming(config: Path, overrides: list[str], roots: Path, *, times: int) -> dict[str, object]:
    """Train alternately as shipped, without checkpoints, and with op determinism; print and return what it took."""
    variants = {
        "as shipped": ("plain", []),
        "no checkpoints but the last": ("plain", ["trainer.checkpoint.every_seconds=0"]),
        "op determinism": ("deterministic", []),
    }
    walls: dict[str, list[float]] = {name: [] for name in variants}
    cpus: dict[str, list[float]] = {name: [] for name in variants}
    weights: dict[str, set[str]] = {name: set() for name in variants}
    saves: list[float] = []
    shares: list[float] = []
    for number in range(times):
        for name, (mode, more) in variants.items():
            root = roots / f"{name.replace(' ', '-')}-{number}"
            command = [sys.executable, "-c", WRAPPED, mode, str(config), str(root), *overrides, *more]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            latest = root / "runs" / "latest"
            (step,) = json.loads((latest / "run.json").read_text())["steps"][2:]
            walls[name].append(step["seconds"])
            cpus[name].append(step["cpu_seconds"])
            weights[name].add(json.loads((latest / "trainer/manifest.json").read_text())["artifact"]["weights_sha256"])
            if name == "as shipped":
                took = json.loads(done.stdout.splitlines()[-1].removeprefix("TOOK "))
                saves += took
                shares.append(sum(took) / step["seconds"])
    shipped_wall, shipped_cpu = statistics.median(walls["as shipped"]), statistics.median(cpus["as shipped"])
    for name in variants:
        wall, cpu = statistics.median(walls[name]), statistics.median(cpus[name])
        print(
            f"training, {name:<28} {times} {wall:8.2f} s {cpu:8.2f} cpu s  ratios to shipped"
            f" {wall / shipped_wall:.3f} {cpu / shipped_cpu:.3f}  {len(weights[name])} different weights",
            flush=True,
        )
    print(
        f"a checkpoint: {1000 * statistics.median(saves):.1f} ms (most {1000 * max(saves):.1f}), "
        f"{len(saves) / times:.0f} in a training, {statistics.median(shares):.3%} of its time",
        flush=True,
    )
    return {"walls": walls, "cpus": cpus, "saves": saves, "shares": shares}


def measure_ending(config: Path, overrides: list[str], root: Path, *, times: int) -> dict[str, object]:
    """End a training on request, again and again; print and return the seconds from the signal to the exit."""
    options = [word for override in overrides for word in ("--set", override)]
    command = [sys.executable, "-m", "job", "run", "--config", str(config), "--root", str(root), *options]
    took = []
    for number in range(times):
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("  epoch" if number == 0 else "  resumed"):
                    break
            time.sleep(2.5 + number / 2)  # into the next epoch, past the tracing of its graph
            asked = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
            assert process.wait() == 143
            took.append(time.perf_counter() - asked)
    print(f"SIGTERM to exit 143 in training: median {statistics.median(took):.2f} s, most {max(took):.2f} s of {times}")
    return {"seconds": took}
