"""Differences between the records of two runs: configuration, source files, packages and environment."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from components.base.extension import USE
from job.store.records import RunRecord

MAX_VALUE_CHARACTERS = 24
"""Maximum length of a value in a list of differences."""
NO_EFFECT = ("root", "tracking", "engine", "cache", "remote")
"""Sections of the configuration that affect no result."""


@dataclass(frozen=True)
class Change:
    """A value that differs between two JSON values; None on the side where it does not exist.

    >>> print(Change("trainer.epochs", 3, 4))
    trainer.epochs 3 → 4
    """

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.key} {_short(self.before)} → {_short(self.after)}"


def changes(before: Any, after: Any, path: str = "") -> list[Change]:
    """Return each value that differs between two JSON values, sorted by its key, such as `trainer.epochs`."""
    return [*_changes(before, after, path)]


def _changes(before: Any, after: Any, path: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        another_target = before.get(USE) != after.get(USE)  # which has other options
        for key in [USE] if another_target else sorted(before.keys() | after.keys()):
            yield from _changes(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif before != after:
        yield Change(path, before, after)


@dataclass(frozen=True)
class RunDifferences:
    """Differences between the records of two runs that can affect results."""

    config: list[Change]
    """Keys of the configuration, without those that affect no result."""
    source_files: list[Change] | None
    """Files of the components and of what they import; None if one of the records does not have them. If the runs have
    different steps, files of one run alone are left out."""
    packages: list[Change]
    """Versions of packages."""
    environment: list[Change]
    """The machine, the number of workers, and the versions of Python and of the job."""


def run_differences(before: RunRecord, after: RunRecord) -> RunDifferences:
    """Return the differences from one run to another."""
    old, new = (
        {**record.environment, "workers": 1 if record.cluster is None else len(record.cluster.workers)}
        for record in (before, after)
    )
    old_config, new_config = (
        {key: value for key, value in record.config.items() if key not in NO_EFFECT} for record in (before, after)
    )
    files: list[Change] | None = None
    if before.source_files and after.source_files:
        files = changes(before.source_files, after.source_files)
        if [step.component for step in before.steps] != [step.component for step in after.steps]:
            files = [change for change in files if None not in (change.before, change.after)]
    return RunDifferences(
        config=changes(old_config, new_config),
        source_files=files,
        packages=changes(old.pop("libraries", {}), new.pop("libraries", {})),
        environment=changes(old, new),
    )


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= MAX_VALUE_CHARACTERS else text[: MAX_VALUE_CHARACTERS - 1] + "…"
