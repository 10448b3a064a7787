"""An artifact and its lineage, for a terminal."""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from components.base.formatting import format_size
from job.store.store import SealedArtifact

SHORT_DIGEST = 12
"""Characters of a digest in a tree; `show --json` prints all."""


def describe_artifact(sealed: SealedArtifact) -> dict[str, str]:
    """Return the labels and values that `show` prints above an artifact's lineage."""
    manifest = sealed.manifest
    return {
        "artifact": manifest.artifact.kind,
        "produced by": f"{manifest.producer.component} {manifest.producer.version}",
        "digest": manifest.digest,
        "fingerprint": manifest.fingerprint,
        "files": f"{len(manifest.files)}, {format_size(sum(file.size for file in manifest.files))}",
        "directory": str(sealed.directory),
    }


def print_lineages(console: Console, lineages: Iterable[dict[str, Any]]) -> None:
    """Print each value of `job.store.lineage.lineage` as a tree. An artifact that appears again is not repeated."""
    console.print()
    drawn: set[str] = set()
    for lineage in lineages:
        console.print(_branch(lineage, "", drawn), highlight=False)


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
        branch = tree.add(f"source: {escape(source['title'])} [dim]({source['kind']})[/]")
        for key, value in source["identity"].items():
            shown = f"{value[:SHORT_DIGEST]}…" if re.fullmatch("[0-9a-f]{64}", value) else value
            branch.add(f"[dim]{escape(key)}[/] {escape(shown)}")
    return tree
