"""The lineage of artifacts as trees for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.tree import Tree

if TYPE_CHECKING:
    from rich.console import Console


def print_lineage(console: Console, lineages: Iterable[dict[str, Any]]) -> None:
    """Print each value of `job.store.lineage.lineage` as a tree. An artifact that appears again is not repeated."""
    console.print()
    drawn: set[str] = set()
    for node in lineages:
        console.print(_branch(node, "", drawn), highlight=False, soft_wrap=True)


def _branch(node: dict[str, Any], name: str, drawn: set[str]) -> Tree:
    label = f"{name}: " if name and name != node.get("kind") else ""
    short = node["digest"][:12]
    if node.get("missing"):
        return Tree(f"{label}{short} [yellow](deleted or damaged: check with `python -m job verify`)[/]")
    tree = Tree(f"{label}[bold]{node['kind']}[/] {short} [dim]{escape(node['component'])}[/]")
    if node["digest"] in drawn:
        tree.label = f"{tree.label} [dim](as above)[/]"
        return tree
    drawn.add(node["digest"])
    for input_name, child in node["inputs"].items():
        tree.add(_branch(child, input_name, drawn))
    if source := node.get("source"):
        branch = tree.add(f"source: {escape(source['title'])} [dim]({source['kind']})[/]")
        for key, value in source["identity"].items():
            branch.add(f"[dim]{escape(key)}[/] {escape(value)}")
    return tree
