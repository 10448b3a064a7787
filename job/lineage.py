"""Lineage: from an artifact back to its source, by following digests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.tree import Tree

from components.artifacts import Examples
from components.errors import IntegrityError

if TYPE_CHECKING:
    from job.manifest import Manifest
    from job.runs import RunRecord
    from job.store import Store


def manifests_of(store: Store, record: RunRecord) -> dict[str, Manifest]:
    """Return the manifest of each step of a run that is still there, by digest."""
    manifests = {}
    for step in record.steps:
        try:
            manifest = store.read(step.component, store.directory(step.component, step.fingerprint)).manifest
        except IntegrityError:
            continue
        manifests[manifest.digest] = manifest
    return manifests


def lineage(manifests: dict[str, Manifest], digest: str) -> dict[str, Any]:
    """Return what an artifact was made of, as nested JSON values down to the source.

    An input whose manifest is not among `manifests` is named by its digest alone.
    """
    manifest = manifests.get(digest)
    if manifest is None:
        return {"digest": digest, "missing": True}
    node: dict[str, Any] = {
        "kind": manifest.artifact.kind,
        "digest": digest,
        "fingerprint": manifest.fingerprint,
        "component": manifest.recipe.component,
        "inputs": {name: lineage(manifests, made_from) for name, made_from in manifest.recipe.inputs.items()},
    }
    if isinstance(manifest.artifact, Examples):
        node["source"] = manifest.artifact.source.model_dump(mode="json")
    return node


def lineage_tree(node: dict[str, Any], name: str = "") -> Tree:
    """Draw what `lineage` returned as a tree for a terminal; what was drawn before is only named again."""
    return _branch(node, name, seen=set())


def _branch(node: dict[str, Any], name: str, seen: set[str]) -> Tree:
    label = f"{name}: " if name and name != node.get("kind") else ""
    short = node["digest"][:12]
    if node.get("missing"):
        return Tree(f"{label}{short} [yellow](not in this root any more)[/]")
    tree = Tree(f"{label}[bold]{node['kind']}[/] {short} [dim]{escape(node['component'])}[/]")
    if node["digest"] in seen:
        tree.label = f"{tree.label} [dim](as above)[/]"
        return tree
    seen.add(node["digest"])
    for input_name, below in node["inputs"].items():
        tree.add(_branch(below, input_name, seen))
    if source := node.get("source"):
        branch = tree.add(f"source: {escape(source['title'])} [dim]({source['kind']})[/]")
        for what, value in source["identity"].items():
            branch.add(f"[dim]{escape(what)}[/] {escape(value)}")
    return tree
