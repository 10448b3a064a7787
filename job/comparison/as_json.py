"""A comparison as JSON values."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from components.artifacts import ComparedImage
from job.comparison.compare import ComparedRun, RunComparison, compared_runs
from job.store.differences import Change


def comparison_json(comparisons: Sequence[RunComparison]) -> dict[str, Any]:
    """Return the runs, and the comparison of the first with each of the others."""
    runs = compared_runs(comparisons)
    return {"runs": [*map(_run, runs)], "comparisons": [*map(_comparison, comparisons)]}


def _run(run: ComparedRun) -> dict[str, Any]:
    record, model = run.record, run.model
    return {
        "run_id": record.run_id,
        "name": record.name,
        "note": record.note,
        "started": record.started.isoformat(),
        "data_set": record.data_set,
        "outcome": record.outcome,
        "blessed": record.blessed,
        "metrics": record.metrics,
        "validation": None if model is None else {"accuracy": model.best.val_accuracy, "loss": model.best.val_loss},
        "parameters": None if model is None else model.parameters,
        "history": [] if model is None else [row.model_dump() for row in model.history],
        "seconds": record.seconds,
        "cpu_seconds": record.cpu_seconds,
        "producers": {slot: record.run_id for slot, record in run.producers.items()},
        "training_cpu_seconds": run.training_cpu_seconds,
    }


def _comparison(comparison: RunComparison) -> dict[str, Any]:
    differences, step, paired = comparison.differences, comparison.first_difference, comparison.paired
    data = comparison.data_changes
    return {
        "first": comparison.first.record.run_id,
        "second": comparison.second.record.run_id,
        "first_difference": None if step is None else asdict(step),
        "steps": [*map(asdict, comparison.steps)],
        "config": _changes(differences.config),
        "source_files": None if differences.source_files is None else _changes(differences.source_files),
        "packages": _changes(differences.packages),
        "environment": _changes(differences.environment),
        "same_data": None if comparison.differing_splits is None else not comparison.differing_splits,
        "data": None if data is None else data.model_dump(mode="json"),
        "paired": None
        if paired is None
        else {
            "p_value": paired.p_value,
            "metrics": {name: found.model_dump(mode="json") for name, found in paired.metrics.items()},
            "only_first_right": _images(comparison, paired.only_first_right),
            "only_second_right": _images(comparison, paired.only_second_right),
        },
    }


def _changes(found: list[Change]) -> list[dict[str, Any]]:
    return [*map(asdict, found)]


def _images(comparison: RunComparison, images: tuple[ComparedImage, ...]) -> list[dict[str, Any]]:
    ids, names = comparison.test_ids([found.row for found in images]), comparison.class_names
    return [
        {
            "id": ids.get(found.row),
            **found.model_dump(mode="json"),
            **{key: names[getattr(found, key)] for key in ("label", "first", "second")},
        }
        for found in images
    ]
