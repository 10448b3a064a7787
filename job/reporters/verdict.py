"""The verdict on a model: every check that led to it, what it was compared with, and where it is weakest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from components.artifacts import RUBBER_STAMPED
from job.store.records import describe_check

if TYPE_CHECKING:
    from rich.console import Console

    from job.store.records import RunRecord

LISTED = 12
"""Checks that are listed one by one; of more, only those that are not passed."""


def print_verdict(console: Console, record: RunRecord) -> None:
    """Print the verdict, its checks, the baseline and the worst slices; nothing if no model was evaluated."""
    if record.blessed is None:
        return
    verdict = "[bold green]BLESSED[/]" if record.blessed else "[bold yellow]NOT BLESSED[/]"
    _print(console, "verdict", f"{verdict}{f', {RUBBER_STAMPED}' if record.rubber_stamped else ''}")
    for check in record.checks:
        if not check["passed"] or len(record.checks) <= LISTED:
            _print(console, "passed" if check["passed"] else "missed", escape(describe_check(check)))
    if passed := sum(check["passed"] for check in record.checks) if len(record.checks) > LISTED else 0:
        _print(console, "passed", f"{passed} other checks" if passed < len(record.checks) else f"all {passed} checks")
    for step in record.steps:
        if found := step.references.get("baseline"):
            by_run = "" if found.run_id in (None, found.requested) else f", run {found.run_id}"
            _print(console, "baseline", escape(f"of the {step.component}: {found.requested}{by_run}"))
    if record.worst_slices:
        worst = ", ".join(f"{found['key']} {found['accuracy']:.4f}" for found in record.worst_slices)
        _print(console, "worst slices", escape(worst))


def _print(console: Console, label: str, text: str) -> None:
    console.print(f"{label:<13} {text}", highlight=False, soft_wrap=True)
