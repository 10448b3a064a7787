"""Rows of a table of runs: summary, tags, differences from the run before, and producers of reused artifacts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.base.extension import USE
from job.store.differences import Change, changes
from job.store.runs import REPORT
from job.store.summary import Facts, RunSummary

DAMAGED = "damaged"
MAX_FILES_NAMED = 2
"""If more source files differ, `RunRow.changes` has only their number."""


@dataclass(frozen=True)
class Differences:
    """The differences of a run from an earlier one."""

    config: list[Change]
    """Keys of the configuration, without those that follow from another one."""
    source_files: list[Change]
    packages: list[Change]
    """Versions of packages, and of Python."""

    @classmethod
    def between(cls, before: Facts, after: Facts) -> "Differences":
        """Return the differences of one run from another."""
        has_files = before.source_files and after.source_files
        return cls(
            config=_without_consequences(_changes(before.config, after.config)),
            source_files=_changes(before.source_files, after.source_files) if has_files else [],
            packages=_changes(before.packages, after.packages),
        )


@dataclass(frozen=True)
class RunRow:
    """One run in a table."""

    summary: RunSummary
    tags: tuple[str, ...]
    previous: str | None
    """The id of the run before it in the table whose record can be read; None for the first."""
    differences: Differences | None
    """From the previous run; None if there is none, or if a record cannot be read."""
    produced_by: Mapping[str, str | None]
    """By reused step, the id of the run that produced its artifact; None if that run was deleted."""

    @property
    def report(self) -> str | None:
        """The path of the report, relative to the root."""
        return f"runs/{self.summary.run_id}/{REPORT}" if self.summary.has_report else None

    def changes(self) -> Iterator[str]:
        """Yield each difference in a few words, such as `trainer.epochs 3 → 4`."""
        if (found := self.differences) is None:
            return
        yield from map(str, found.config)
        files = [f"code of {change.key}" for change in found.source_files]
        yield from files if len(files) <= MAX_FILES_NAMED else [f"code of {len(files)} files"]
        yield from map(str, found.packages)

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        fields = self.summary.model_dump(mode="json", exclude={"key", "steps", "has_report"})
        found = self.differences
        differences = found and {
            "config": {change.key: [change.before, change.after] for change in found.config},
            "source_files": [change.key for change in found.source_files],
            "packages": {change.key: [change.before, change.after] for change in found.packages},
        }
        steps = [
            {
                "component": step.component,
                "status": step.status,
                "run_id": self.produced_by.get(step.component) if step.status == "reused" else self.summary.run_id,
            }
            for step in self.summary.steps
        ]
        rest = {"tags": self.tags, "report": self.report, "steps": steps}
        return {**fields, **rest, "previous": self.previous, "differences": differences}


def producers_by_run(summaries: Iterable[RunSummary]) -> dict[str, dict[str, str | None]]:
    """Return, by the id of each run, the run that produced the artifact of each reused step."""
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
    produced_by: Mapping[str, Mapping[str, str | None]],
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
                produced_by=produced_by[summary.run_id],
            )
        )
        previous = summary if is_readable else previous
    return rows


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    if before == after:
        return []
    new = {key: value for key, value in after.items() if before.get(key) != value}
    old = {key: before[key] for key in (*new, *(before.keys() - after.keys())) if key in before}
    return changes(old, new)


def _without_consequences(differences: list[Change]) -> list[Change]:
    """Omit the options of a replaced class, and the keys of sections that follow from the same key at the top level."""
    replaced = tuple(change.key.removesuffix(USE) for change in differences if change.key.endswith(f".{USE}"))
    shared = {change.key: (change.before, change.after) for change in differences}
    return [
        change
        for change in differences
        if change.key.endswith(f".{USE}")
        or not (
            change.key.startswith(replaced)
            or ("." in change.key and shared.get(change.key.rpartition(".")[2]) == (change.before, change.after))
        )
    ]
