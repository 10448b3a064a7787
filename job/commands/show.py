"""Command `show`: a run or an artifact, and its lineage."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from components.artifacts import Predictions
from components.base.errors import ConfigError
from components.base.formatting import format_size
from components.base.text import printable
from job.pipeline.slots import OPTIONAL_SLOTS
from job.reporters.predictions import describe_predictions
from job.reporters.tables import print_run, run_title
from job.reporters.terminal import make_console, print_field, print_json, print_parts
from job.store.lineage import MIN_PREFIX_LENGTH, final_outputs, find_artifact, lineage, step_manifests
from job.store.opened import open_store
from job.store.resolve import FoundRun, NoSuchRunError, locate_run
from job.store.root import address
from job.store.run_names import LATEST_BLESSED
from job.store.runs import LATEST, Runs
from job.store.sealed import SealedArtifact
from job.store.store import Store

SHORT_DIGEST = 12
"""Characters of a digest in a tree; `show --json` prints all."""


def show(name: str | None, root: Path, *, as_json: bool) -> None:
    """Print a run, by default the newest, or an artifact if no run has that name.

    Raises:
        JobError: if neither exists, or if it is damaged.
    """
    store, runs = open_store(root), Runs(root)
    try:
        found = locate_run(root, name) if name is not None else _newest_run(runs)
    except NoSuchRunError as no_run:
        sealed = None if name is None else find_artifact(store, name)
        if sealed is None:
            if name is None or not store.artifacts.is_dir():
                raise
            raise ConfigError(
                f"{root} has no run or artifact `{name}`",
                expected=f"a run's id, tag, name or folder, {LATEST} or {LATEST_BLESSED}; or an artifact's path, or at "
                f"least {MIN_PREFIX_LENGTH} characters of its digest or fingerprint",
                remedy=no_run.remedy,
            ) from no_run
        _show_artifact(store, runs, sealed, as_json=as_json)
    else:
        _show_run(found, as_json=as_json)


def _newest_run(runs: Runs) -> FoundRun:
    record = runs.read()
    return FoundRun(record, runs.path(record.run_id))


def _show_run(found: FoundRun, *, as_json: bool) -> None:
    record, store, runs = found.record, open_store(found.root), Runs(found.root)
    manifests = step_manifests(store, record)
    if any(step.references for step in record.steps):  # artifacts of other runs
        manifests |= {sealed.manifest.digest: sealed.manifest for sealed in store.sealed_artifacts()}
    lineages = [lineage(manifests, digest) for digest in final_outputs(record, manifests)]
    alive = record.outcome != "running" or runs.is_alive(found.folder.name)
    if as_json:
        main_steps = [step for step in record.steps if step.component not in OPTIONAL_SLOTS]
        values: dict[str, Any] = json.loads(record.to_json()) | {"lineages": lineages}
        if record.outcome == "running" and not alive:
            values["outcome"] = "killed"  # a killed process could not record it
        values["lineage"] = lineage(manifests, main_steps[-1].digest) if main_steps else None
        print_json(values)
        return
    console = make_console()
    started = f"{record.started:%Y-%m-%d %H:%M} UTC"
    print_parts(console, "run ", [*run_title(record), started, f"root {escape(address(store.root))}"])
    print_run(console, record, found.folder, alive=alive)
    _print_lineages(console, lineages)


def _show_artifact(store: Store, runs: Runs, sealed: SealedArtifact, *, as_json: bool) -> None:
    manifest = sealed.manifest
    manifests = {other.manifest.digest: other.manifest for other in (*store.sealed_artifacts(), sealed)}
    run_ids = runs.using(manifest.digest)
    if as_json:
        values = manifest.model_dump(mode="json") | {"runs": run_ids, "lineage": lineage(manifests, manifest.digest)}
        print_json(values)
        return
    console = make_console()
    fields = {
        "artifact": manifest.artifact.kind,
        "produced by": f"{manifest.producer.component} {manifest.producer.version}",
        "digest": manifest.digest,
        "fingerprint": manifest.fingerprint,
        "files": f"{len(manifest.files)}, {format_size(sum(file.size for file in manifest.files))}",
        "directory": address(sealed.directory),
        "runs": ", ".join(reversed(run_ids)) or "none",
    }
    if isinstance(manifest.artifact, Predictions):
        fields |= describe_predictions(manifest.artifact)
    for label, text in fields.items():
        print_field(console, label, escape(text))
    _print_lineages(console, [lineage(manifests, manifest.digest)])


def _print_lineages(console: Console, lineages: Iterable[dict[str, Any]]) -> None:
    console.print()
    drawn: set[str] = set()  # an artifact that appears again is not repeated
    for root in lineages:
        console.print(_branch(root, "", drawn), highlight=False)


def _branch(node: dict[str, Any], name: str, drawn: set[str]) -> Tree:
    label = f"{name}: " if name and name != node.get("kind") else ""
    short = node["digest"][:SHORT_DIGEST]
    if node.get("missing"):
        return Tree(f"{label}{short} [yellow](deleted or damaged: check with `python -m job verify`)[/]")
    component = node["component"].rpartition(":")[2]
    tree = Tree(f"{label}[bold]{node['kind']}[/] {short} [dim]by {escape(component)}[/]")
    if node["digest"] in drawn:
        tree.label = f"{tree.label} [dim](see above)[/]"
        return tree
    drawn.add(node["digest"])
    for input_name, child in node["inputs"].items():
        tree.add(_branch(child, input_name, drawn))
    if source := node.get("source"):
        branch = tree.add(f"source: {escape(printable(source['title']))} [dim]({escape(printable(source['kind']))})[/]")
        for key, value in source["identity"].items():
            shown = f"{value[:SHORT_DIGEST]}…" if re.fullmatch("[0-9a-f]{64}", value) else value
            branch.add(f"[dim]{escape(printable(key))}[/] {escape(printable(shown))}")
    return tree
