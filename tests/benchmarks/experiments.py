"""Effect of each choice in training: `mnist-fast` up to the Trainer, with one change at a time.

python -m tests.benchmarks.experiments MNIST [--rounds 3] [--only "batch 64;XLA"] [--json FILE]

The variants (see `variants`) run in processes of their own, in rounds, with the seeds 0, 1, ... Accuracy is that of the
validation split; the test split is not used. notes.md has the results.
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

from tests.benchmarks.measure import measure_process
from tests.benchmarks.programs import FAST, parse_run_record, preset_path
from tests.benchmarks.table import number, percent, print_table
from tests.benchmarks.variants import VARIANTS

TIMEOUT_SECONDS = 1800
"""For one variant."""


class VariantError(Exception):
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
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in options.only}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(options.rounds):
            for name in [*measured]:
                try:
                    measured[name].append(measure_variant(name, seed, Path(scratch), options.mnist))
                    print(f"{seed} {name}: {measured[name][-1]}", file=sys.stderr, flush=True)
                except VariantError as error:
                    if name == options.only[0]:  # all others are compared with this one
                        raise SystemExit(f"{name}: {error}") from error
                    del measured[name]
                    print(f"{seed} {name} is excluded: {error}", file=sys.stderr, flush=True)
    if options.json:
        options.json.write_text(json.dumps(measured, indent=2) + "\n")
    print_variants(measured)


def run_variant(name: str, seed: int, root: Path, mnist: Path) -> None:
    """Run the job up to the Trainer with a variant, in this process; it prints its run record."""
    variant = VARIANTS[name]
    variant.change()
    from job.commands.run import run_job
    from job.options import RunOptions
    from job.signals import Signals

    source = ["example_gen.source.kind=idx", f"example_gen.source.path={mnist.resolve()}", "example_gen.seed=0"]
    overrides = [*source, f"seed={seed}", *variant.overrides]
    options = RunOptions(config=preset_path(FAST), overrides=overrides, root=root, until="trainer", as_json=True)
    sys.exit(run_job(options, Signals()))


def measure_variant(name: str, seed: int, scratch: Path, mnist: Path) -> dict[str, float]:
    """Run a variant in a process of its own and return its cost and accuracy.

    Raises:
        VariantError: if it does not run to its end.
    """
    variant = VARIANTS[name]
    root = scratch / ("fresh" if variant.fresh else "shared")
    shutil.rmtree(root if variant.fresh else root / "artifacts" / "trainer", ignore_errors=True)
    command = [sys.executable, "-m", "tests.benchmarks.experiments", str(mnist), "--child", name, str(seed), str(root)]
    process = measure_process(command, timeout=TIMEOUT_SECONDS, variables=variant.environment)
    if process.failure:
        raise VariantError(process.failure)
    record: dict[str, Any] = json.loads(process.stdout)
    output = parse_run_record(record)
    if output.training is None or output.training_wall is None:
        raise VariantError("the run record has no training part")
    manifest = json.loads((Path(record["steps"][-1]["path"]) / "manifest.json").read_text())
    return {
        "wall": process.wall,
        "cpu": process.cpu,
        "peak": process.peak / 1e9,
        "training": output.training,
        "training_wall": output.training_wall,
        "accuracy": manifest["artifact"]["history"][-1]["val_accuracy"],
    }


def print_variants(measured: dict[str, list[dict[str, float]]]) -> None:
    """Print the medians, and the median of each round's ratio of training CPU-seconds to the first variant."""
    first = next(iter(measured.values()))
    rows = []
    for name, runs in measured.items():
        median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        ratio = statistics.median(run["training"] / base["training"] for run, base in zip(runs, first, strict=True))
        accuracy = statistics.mean(run["accuracy"] for run in runs)
        numbers = (number(median[key]) for key in ("training", "training_wall", "cpu", "wall", "peak"))
        rows.append((name, *numbers, number(ratio), percent(accuracy)))
    print_table(("", "training cpu s", "wall s", "process cpu s", "wall s", "peak GB", "ratio", "validation %"), rows)


if __name__ == "__main__":
    main()
