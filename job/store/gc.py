"""Garbage collection: find and delete what no kept run of a root needs."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from components.base.errors import ConfigError, IntegrityError
from job.store.measure import Measured, measure
from job.store.records import RunRecord
from job.store.root import root_at
from job.store.run_names import Tags
from job.store.runs import Runs
from job.store.store import Entry, Store

KINDS = {"sealed": "artifact", "lock": "partial", "deleting": "partial"}
"""Kinds of entries that have another name in the list of garbage."""
MIN_DRAFT_SECONDS = 60
"""A younger folder of a run that is being created or deleted is kept: it exists for milliseconds."""
SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_age(text: str, option: str = "--older-than") -> float:
    """Return the seconds of an age such as `90s`, `30m`, `12h` or `7d`, the value of an option.

    >>> parse_age("12h")
    43200.0
    """
    if not (match := re.fullmatch(r"(\d{1,9})([smhd])", text, re.ASCII)):
        expected = "a whole number of at most 9 digits, followed by s, m, h or d"
        raise ConfigError(f"{option} {text!r} is not an age", expected=expected, remedy="write it as 12h or 7d")
    return float(match[1]) * SECONDS_PER_UNIT[match[2]]


@dataclass(frozen=True)
class Collectable:
    """A file or folder that can be deleted."""

    kind: str
    """Whether it is a `run`, or which part of the store: `artifact`, `partial` or `quarantined`."""
    path: Path
    entry: Entry | None
    """The entry of the store; None for a run and its remains."""
    measured: Measured

    @property
    def size(self) -> int:
        """In bytes."""
        return self.measured.size

    @property
    def age(self) -> float:
        """Seconds since it was last modified."""
        return self.measured.age


@dataclass(frozen=True)
class GarbageCollector:
    """Finds and deletes what no kept run needs.

    A run in progress is always kept, with everything that it refers to or produces. Only folders with the name and
    the record of a run are deleted as runs; a folder with a record and another name keeps its artifacts.
    """

    store: Store
    runs: Runs
    keep: int | None  # how many of the newest runs, at least 1, besides the newest blessed of each data set; None: all
    older_than: float  # age in seconds; partial and quarantined artifacts that are younger are kept

    def find(self) -> Iterator[Collectable]:
        """Yield the runs that are not kept, the artifacts that only these refer to, and old partial artifacts.

        Raises:
            IntegrityError: if it is not certain which artifacts are used.
        """
        self._check_links()
        records = self._records()
        kept = self._kept(records)
        others = [name for name in records if name not in kept]
        for path, measured in root_at(self.runs.root).measure_each(self.runs.directory, others):
            yield Collectable("run", path, None, measured)
        for draft in self.runs.drafts():
            remains = measure(draft)
            if remains is not None and remains.age >= max(self.older_than, MIN_DRAFT_SECONDS):
                yield Collectable("partial", draft, None, remains)
        referenced = referenced_artifacts(kept)
        for entry, measured in self.store.measured_entries():
            garbage = self._is_garbage(measured, entry, referenced)
            if garbage and not self.store.is_held(entry.slot, entry.fingerprint):
                yield Collectable(KINDS.get(entry.kind, entry.kind), entry.path, entry, measured)

    def delete(self, found: Collectable) -> bool:
        """Delete one item unless a run has begun to need it since it was found; return whether it was deleted."""
        if (entry := found.entry) is None:
            is_run = found.kind == "run"
            if is_run and (self.runs.is_alive(found.path.name) or found.path.name in self._tagged()):
                return False
            try:
                self.runs.remove(found.path.name) if is_run else shutil.rmtree(found.path)
            except FileNotFoundError:  # another process deletes it
                return False
            return True
        # A run holds this lock until its record refers to the artifact: without the lock, records are complete.
        with self.store.try_acquire(entry.slot, entry.fingerprint) as free:
            fresh = self.store.measure(entry)
            # Only sealed artifacts are referenced. References are read again, because they cannot change any more.
            referenced = self._referenced() if entry.kind == "sealed" else set()
            if not free or fresh is None or not self._is_garbage(fresh, entry, referenced):
                return False
            if entry.kind == "lock":  # releasing the lock deletes its file
                return True
            return self.store.remove(entry, lambda: (entry.slot, entry.fingerprint) in self._referenced())

    def _referenced(self) -> set[tuple[str, str]]:
        """Return slot and fingerprint of every artifact that kept runs refer to, also those of other machines."""
        self.runs.refresh()
        return referenced_artifacts(self._kept(self._records()))

    def _tagged(self) -> set[str]:
        """Return the ids of the runs that have tags; raise IntegrityError if one cannot be read."""
        tags = Tags(self.store.root)
        tags.check()
        return {*tags.read().values()}

    def _is_garbage(self, found: Measured, entry: Entry, referenced: set[tuple[str, str]]) -> bool:
        if entry.kind == "deleting":
            return True
        if entry.kind == "sealed":
            return (entry.slot, entry.fingerprint) not in referenced
        if entry.kind == "lock" and self.store.partial(entry.slot, entry.fingerprint).exists():
            return False  # it is deleted with the partial artifact
        return found.age >= self.older_than

    def _check_links(self) -> None:
        folders = (
            self.runs.directory,
            self.store.artifacts,
            self.store.steps,
            *(self.store.folder(slot) for slot in self.store.slots()),
        )
        for folder in folders:
            if folder.is_symlink():
                raise IntegrityError(
                    f"{folder} is a link, and what it points to may be in use elsewhere",
                    expected="a folder, because gc deletes nothing outside of the root",
                    remedy="delete by hand what is not used, or replace the link by the folder",
                )

    def _records(self) -> dict[str, RunRecord]:
        try:
            records = self.runs.records()
        except IntegrityError as error:
            raise IntegrityError(
                error.headline,
                expected="a readable record of every run: without it, the artifacts that the run uses are unknown",
                remedy=f"restore the record, or move its folder out of {self.runs.directory}; nothing was deleted",
            ) from error
        if not records and any(self.store.sealed_directories()):
            raise IntegrityError(
                f"{self.runs.directory} has no runs, but {self.store.artifacts} has artifacts",
                expected="the records of the runs that use them",
                remedy=f"restore {self.runs.directory}, or delete {self.store.artifacts} by hand; nothing was deleted",
            )
        return records

    def _kept(self, records: dict[str, RunRecord]) -> dict[str, RunRecord]:
        """Return the records that keep their artifacts, by the name of their folder."""
        if self.keep is None:
            return records
        ids = set(self.runs.ids())
        runs = {name: record for name, record in records.items() if name in ids and name == record.run_id}
        # Future runs are compared with the newest blessed one of their data set.
        blessed = {record.data_set: run_id for run_id, record in runs.items() if record.blessed}
        published = {
            step.fingerprint: run_id for run_id, record in runs.items() for step in record.steps if step.published
        }
        newest = {*[*runs][-self.keep :], self.runs.latest(), *blessed.values(), *published.values(), *self._tagged()}
        kept = {name for name in records if name not in runs or name in newest or self.runs.is_alive(name)}
        # Without their baselines, the kept runs would be rubber-stamped when they are repeated.
        steps = [step for name in kept for step in records[name].steps]
        kept |= {reference.run_id for step in steps for reference in step.references.values() if reference.run_id}
        return {name: record for name, record in records.items() if name in kept}


def referenced_artifacts(records: dict[str, RunRecord]) -> set[tuple[str, str]]:
    """Return slot and fingerprint of every artifact that records refer to."""
    steps = [step for record in records.values() for step in record.steps]
    references = [reference for step in steps for reference in step.references.values()]
    return {(step.component, step.fingerprint) for step in steps} | {
        (reference.component, reference.fingerprint) for reference in references
    }
