"""Command `show`: a run or an artifact, and its lineage."""

import json
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from job.pipeline.slots import OPTIONAL_SLOTS
from job.reporters.lineage_tree import describe_artifact, print_lineages
from job.reporters.tables import print_run
from job.reporters.terminal import make_console, print_field, print_parts
from job.store.lineage import final_outputs, lineage, step_manifests
from job.store.runs import LATEST, RECORD, Runs
from job.store.search import find_artifact
from job.store.store import SealedArtifact, Store


def show(name: str, root: Path, *, as_json: bool) -> None:
    """Print a run, or an artifact if no run has that name.

    Raises:
        JobError: if neither exists, or if it is damaged.
    """
    store, runs = Store(root), Runs(root)
    name = Path(name).resolve().name if (Path(name) / RECORD).is_file() else name
    if name == LATEST or runs.has_record(name) or not store.artifacts.is_dir():
        _show_run(store, runs, name, as_json=as_json)
    else:
        _show_artifact(store, runs, find_artifact(store, name), as_json=as_json)


def _show_run(store: Store, runs: Runs, name: str, *, as_json: bool) -> None:
    record = runs.read(name)
    manifests = step_manifests(store, record)
    if any(step.references for step in record.steps):  # artifacts of other runs
        manifests |= {sealed.manifest.digest: sealed.manifest for sealed in store.sealed_artifacts()}
    lineages = [lineage(manifests, digest) for digest in final_outputs(record, manifests)]
    alive = runs.is_alive(record.run_id)
    if as_json:
        main_steps = [step for step in record.steps if step.component not in OPTIONAL_SLOTS]
        values: dict[str, Any] = json.loads(record.to_json()) | {"lineages": lineages}
        if record.outcome == "running" and not alive:
            values["outcome"] = "killed"  # a killed process could not record it
        values["lineage"] = lineage(manifests, main_steps[-1].digest) if main_steps else None
        typer.echo(json.dumps(values, indent=2))
        return
    console = make_console()
    started = f"{record.started:%Y-%m-%d %H:%M} UTC"
    print_parts(console, "run ", [f"[bold]{record.run_id}[/]", started, f"root {escape(str(store.root))}"])
    print_run(console, record, runs.path(record.run_id), alive=alive)
    print_lineages(console, lineages)


def _show_artifact(store: Store, runs: Runs, sealed: SealedArtifact, *, as_json: bool) -> None:
    manifest = sealed.manifest
    manifests = {other.manifest.digest: other.manifest for other in (*store.sealed_artifacts(), sealed)}
    run_ids = runs.using(manifest.digest)
    if as_json:
        values = manifest.model_dump(mode="json") | {"runs": run_ids, "lineage": lineage(manifests, manifest.digest)}
        typer.echo(json.dumps(values, indent=2))
        return
    console = make_console()
    fields = describe_artifact(sealed) | {"runs": ", ".join(reversed(run_ids)) or "none"}
    for label, text in fields.items():
        print_field(console, label, escape(text))
    print_lineages(console, [lineage(manifests, manifest.digest)])
