"""Rows of a table of runs: each summary with its tags, what differs from the run before, and who made its results."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from job.store.differences import Differences
from job.store.runs import REPORT
from job.store.summary import RunSummary

DAMAGED = "damaged"


@dataclass(frozen=True)
class RunRow:
    """One run in a table."""

    summary: RunSummary
    tags: tuple[str, ...]
    previous: str | None
    """The id of the run before it in the table whose record can be read; None for the first."""
    differences: Differences | None
    """From the previous run; None if there is none, or if a record cannot be read."""
    made_by: Mapping[str, str | None]
    """By reused step, the id of the run that made its artifact; None if that run was deleted."""

    @property
    def report(self) -> str | None:
        """The path of the report, relative to the root."""
        return f"runs/{self.summary.run_id}/{REPORT}" if self.summary.has_report else None

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        fields = self.summary.model_dump(mode="json", exclude={"key", "steps", "has_report"})
        found = self.differences
        differences = found and {"config": found.config, "code": found.code, "packages": found.packages}
        steps = [
            {
                "component": step.component,
                "status": step.status,
                "run_id": self.made_by.get(step.component) if step.status == "reused" else self.summary.run_id,
            }
            for step in self.summary.steps
        ]
        rest = {"tags": self.tags, "report": self.report, "steps": steps}
        return {**fields, **rest, "previous": self.previous, "differences": differences}


def makers(summaries: Iterable[RunSummary]) -> dict[str, dict[str, str | None]]:
    """Return, by the id of each run, which run made the artifact of each reused step."""
    made: dict[tuple[str, str], str] = {}
    found = {}
    for summary in summaries:
        keys = {step.component: (step.component, step.fingerprint) for step in summary.steps}
        reused = [step.component for step in summary.steps if step.status == "reused"]
        found[summary.run_id] = {component: made.get(keys[component]) for component in reused}
        made.update({keys[step.component]: summary.run_id for step in summary.steps if step.status == "ran"})
    return found


def make_rows(
    summaries: Sequence[RunSummary],
    *,
    tags: Mapping[str, str],
    made_by: Mapping[str, Mapping[str, str | None]],
    last: int | None = None,
) -> list[RunRow]:
    """Return the rows of the `last` summaries, by default of all; each is compared with the one before it."""
    names: dict[str, list[str]] = {}
    for tag, run_id in tags.items():
        names.setdefault(run_id, []).append(tag)
    first = 0 if last is None else max(0, len(summaries) - last)
    previous = next((other for other in reversed(summaries[:first]) if other.outcome != DAMAGED), None)
    rows = []
    for summary in summaries[first:]:
        is_readable = summary.outcome != DAMAGED
        comparable = previous if is_readable else None
        rows.append(
            RunRow(
                summary=summary,
                tags=tuple(names.get(summary.run_id, ())),
                previous=None if previous is None else previous.run_id,
                differences=None if comparable is None else Differences.between(comparable.facts, summary.facts),
                made_by=made_by[summary.run_id],
            )
        )
        previous = summary if is_readable else previous
    return rows
