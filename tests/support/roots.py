"""Copies of a finished root, and of its run, for tests that need runs and not the making of them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from job.store.records import RunRecord
from job.store.runs import Runs


def copy_root(finished: Path, target: Path) -> Path:
    """Copy a root with its links, and let the records of its runs name the copy."""
    shutil.copytree(finished, target, symlinks=True)
    for record in target.glob("runs/*/run.json"):
        if not record.parent.is_symlink():
            record.write_text(record.read_text().replace(str(finished), str(target)))
    return target


def add_run(root: Path, number: int, **fields: Any) -> RunRecord:
    """Add a copy of the first run of a root as an older run, with other fields; higher numbers are newer."""
    runs = Runs(root)
    first = runs.read(runs.ids()[-1])
    started = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    run_id = f"{started:%Y%m%d-%H%M%S}-000{number % 0x10000:04x}"
    record = first.model_copy(update={"run_id": run_id, "started": started, **fields})
    runs.path(run_id).mkdir()
    (runs.path(run_id) / "run.json").write_text(record.to_json())
    return record


def add_sweep(root: Path, count: int) -> None:
    """Add runs as those of a sweep: each has another learning rate, seed and accuracy, and reuses the data."""
    record = Runs(root).read()
    steps = [step.model_dump() for step in record.steps]
    for number in range(count):
        rate, seed, accuracy = 1e-3 * (1 + number % 97), number % 5, 0.9 + 0.0999 * ((number * 7919) % 1000) / 1000
        for step in steps:
            is_new = step["component"] not in ("example_gen", "transform")
            step |= {"status": "ran" if is_new else "reused"}
            step["fingerprint"] = f"{number:064x}" if is_new else step["fingerprint"]
        config = {**record.config, "trainer": {**record.config["trainer"], "peak": rate, "seed": seed}}
        metrics = {**(record.metrics or {}), "accuracy": accuracy}
        parsed = RunRecord.model_validate(record.model_dump() | {"steps": steps}).steps
        add_run(root, number, config=config, metrics=metrics, steps=parsed, name=f"trial-{number}")
