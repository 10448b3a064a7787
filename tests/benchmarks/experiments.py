"""What each choice in training is worth: `mnist-fast` to the Trainer, with one thing done otherwise at a time.

python -m tests.benchmarks.experiments MNIST [--rounds 3] [--only "batch 64;XLA"] [--json FILE]

The variants (see `variants`) run in processes of their own, round by round, with the seeds 0, 1, ... What is
told of accuracy is that of the validation split; the test split is not looked at. notes.md says what was found.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.contestants import FAST, config_of, read_job
from tests.benchmarks.measuring import measure
from tests.benchmarks.table import number, percent, print_table
from tests.benchmarks.variants import VARIANTS

TIMEOUT = 1800
"""Seconds that a variant may take."""


class NotMeasuredError(Exception):
    """A variant did not run to its end."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist", type=Path, help="folder of the four IDX files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=lambda text: text.split(";"), default=list(VARIANTS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=3, metavar=("VARIANT", "SEED", "ROOT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, seed, root = options.child
        run_variant(name, int(seed), Path(root), options.mnist)
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in options.only}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(options.rounds):
            for name in [*found]:
                try:
                    found[name].append(measure_variant(name, seed, Path(scratch), options.mnist))
                    print(f"{seed} {name}: {found[name][-1]}", file=sys.stderr, flush=True)
                except NotMeasuredError as error:
                    if name == options.only[0]:  # what all others are compared with
                        raise SystemExit(f"{name}: {error}") from error
                    del found[name]
                    print(f"{seed} {name} is left out: {error}", file=sys.stderr, flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    tell(found)


def run_variant(name: str, seed: int, root: Path, mnist: Path) -> None:
    """Run the job to the Trainer, done otherwise, in this process; print its record."""
    variant = VARIANTS[name]
    variant.change()
    from job.commands.run import run_job
    from job.options import RunOptions

    source = ["example_gen.source.kind=idx", f"example_gen.source.path={mnist.resolve()}", "example_gen.seed=0"]
    overrides = [*source, f"seed={seed}", *variant.overrides]
    request = RunOptions(config=config_of(FAST), overrides=overrides, root=root, until="trainer", as_json=True)
    sys.exit(run_job(request))


def measure_variant(name: str, seed: int, scratch: Path, mnist: Path) -> dict[str, float]:
    """Run a variant in a process of its own, and return what it took and reached.

    Raises:
        NotMeasuredError: if it did not run to its end.
    """
    variant = VARIANTS[name]
    root = scratch / ("fresh" if variant.fresh else "kept")
    shutil.rmtree(root if variant.fresh else root / "artifacts" / "trainer", ignore_errors=True)
    command = [sys.executable, "-m", "tests.benchmarks.experiments", str(mnist), "--child", name, str(seed), str(root)]
    took = measure(command, timeout=TIMEOUT, variables=variant.environment)
    if took.failure:
        raise NotMeasuredError(took.failure)
    record: dict[str, Any] = json.loads(took.stdout)
    told = read_job(record)
    if told.training is None or told.training_wall is None:
        raise NotMeasuredError("the job does not say what its training took")
    manifest = json.loads((Path(record["steps"][-1]["path"]) / "manifest.json").read_text())
    return {
        "wall": took.wall,
        "cpu": took.cpu,
        "peak": took.peak / 1e9,
        "training": told.training,
        "training_wall": told.training_wall,
        "accuracy": manifest["artifact"]["history"][-1]["val_accuracy"],
    }


def tell(found: dict[str, list[dict[str, float]]]) -> None:
    """Print the medians, and the ratio of training's CPU-seconds to the first one's, round by round."""
    first = next(iter(found.values()))
    rows = []
    for name, runs in found.items():
        median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        ratio = statistics.median(run["training"] / base["training"] for run, base in zip(runs, first, strict=True))
        accuracy = statistics.mean(run["accuracy"] for run in runs)
        figures = (number(median[key]) for key in ("training", "training_wall", "cpu", "wall", "peak"))
        rows.append((name, *figures, number(ratio), percent(accuracy)))
    print_table(("", "training cpu s", "wall s", "process cpu s", "wall s", "peak GB", "ratio", "validation %"), rows)


if __name__ == "__main__":
    main()
