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
    """Add a copy of the newest run of a root as an older run, with other fields; higher numbers are newer."""
    return _add(root, Runs(root).read(), number, fields)


def add_sweep(root: Path, count: int) -> None:
    """Add runs as those of a sweep: each has another learning rate, seed and accuracy, and reuses the data."""
    newest = Runs(root).read()
    trainer, shared = newest.config["trainer"], ("example_gen", "transform")  # all have the model of the newest run
    for number in range(count):
        chosen = {"peak": round(1e-3 * (1 + number % 97), 4), "seed": number % 5}
        steps = tuple(
            step.model_copy(update={"status": "reused" if step.component in shared else "ran"}) for step in newest.steps
        )
        metrics = {**(newest.metrics or {}), "accuracy": 0.9 + 0.0999 * ((number * 7919) % 1000) / 1000}
        fields = {"name": f"trial-{number}", "steps": steps, "metrics": metrics}
        _add(root, newest, number, {**fields, "config": {**newest.config, "trainer": {**trainer, **chosen}}})


def _add(root: Path, newest: RunRecord, number: int, fields: dict[str, Any]) -> RunRecord:
    started = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    run_id = f"{started:%Y%m%d-%H%M%S}-000{number % 0x10000:04x}"
    record = newest.model_copy(update={"run_id": run_id, "started": started, **fields})
    folder = Runs(root).path(run_id)
    folder.mkdir()
    (folder / "run.json").write_text(record.to_json())
    return record
