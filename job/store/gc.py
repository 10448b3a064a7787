"""Garbage collection: find and delete what no kept run of a root needs."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from components.base.errors import ConfigError
from components.runtime.locks import is_held, try_acquire
from job.store.records import StepRecord
from job.store.runs import Runs
from job.store.store import Entry, Store

KINDS = {"sealed": "artifact", "lock": "partial", "deleting": "partial"}
"""Kinds of entries that have another name in the list of garbage."""
SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_age(text: str) -> float:
    """Return the seconds of an age such as `90s`, `30m`, `12h` or `7d`.

    >>> parse_age("12h")
    43200.0
    """
    if not (match := re.fullmatch(r"(\d{1,9})([smhd])", text, re.ASCII)):
        expected = "a whole number of at most 9 digits, followed by s, m, h or d"
        raise ConfigError(f"--older-than {text!r} is not an age", expected=expected, remedy="write it as 12h or 7d")
    return float(match[1]) * SECONDS_PER_UNIT[match[2]]


@dataclass(frozen=True)
class Collectable:
    """A file or folder that can be deleted."""

    kind: str
    """Whether it is a `run`, or which part of the store: `artifact`, `partial` or `quarantined`."""
    path: Path
    entry: Entry | None
    """The entry of the store; None for a run."""
    size: int
    """In bytes."""
    age: float
    """Seconds since it was last modified."""


@dataclass(frozen=True)
class GarbageCollector:
    """Finds and deletes what no kept run needs.

    A run in progress is always kept, with everything that it refers to or produces.
    """

    store: Store
    runs: Runs
    keep: int | None  # how many of the newest runs, at least 1, besides the newest with a blessed model; None for all
    older_than: float  # age in seconds; partial and quarantined artifacts that are younger are kept

    def find(self) -> Iterator[Collectable]:
        """Yield the runs that are not kept, the artifacts that only these refer to, and old partial artifacts."""
        kept = self._kept_runs()
        for run_id in self.runs.ids():
            if run_id not in kept and (run := measure("run", self.runs.path(run_id))):
                yield run
        referenced = self._referenced(kept)
        for entry in self.store.entries():
            if not is_held(self.store.lock(entry.slot, entry.fingerprint)):
                found = measure(KINDS.get(entry.kind, entry.kind), entry.path, entry)
                if found is not None and self._is_garbage(found, entry, referenced):
                    yield found

    def delete(self, found: Collectable) -> bool:
        """Delete one item unless a run has begun to need it since it was found; return whether it was deleted."""
        if found.entry is None:
            if self.runs.is_alive(found.path.name):
                return False
            shutil.rmtree(found.path)
            return True
        entry = found.entry
        # A run holds this lock until its record refers to the artifact: without the lock, records are complete.
        with try_acquire(self.store.lock(entry.slot, entry.fingerprint)) as free:
            fresh = measure(found.kind, found.path, entry)
            # Only sealed artifacts are referenced. References are read again, because they cannot change any more.
            referenced = self._referenced(self._kept_runs()) if entry.kind == "sealed" else set()
            if not free or fresh is None or not self._is_garbage(fresh, entry, referenced):
                return False
            if entry.kind != "lock":  # releasing the lock deletes its file
                self.store.remove(entry)
            return True

    def _is_garbage(self, found: Collectable, entry: Entry, referenced: set[tuple[str, str]]) -> bool:
        if entry.kind == "deleting":
            return True
        if entry.kind == "sealed":
            return (entry.slot, entry.fingerprint) not in referenced
        if entry.kind == "lock" and self.store.partial(entry.slot, entry.fingerprint).exists():
            return False  # it is deleted with the partial artifact
        return found.age >= self.older_than

    def _kept_runs(self) -> set[str]:
        ids = self.runs.ids()
        if self.keep is None:
            return set(ids)
        # Future runs are compared with the newest blessed one.
        blessed = next((record.run_id for record in self.runs.blessed()), None)
        newest = {*ids[-self.keep :], self.runs.newest(), blessed}
        kept = {run_id for run_id in ids if run_id in newest or self.runs.is_alive(run_id)}
        # Without their baselines, the kept runs would be rubber-stamped when they are repeated.
        baselines = {reference.run_id for step in self._steps(kept) for reference in step.references.values()}
        return kept | {run_id for run_id in ids if run_id in baselines}

    def _referenced(self, run_ids: set[str]) -> set[tuple[str, str]]:
        """Return slot and fingerprint of every artifact that runs refer to; a damaged record raises IntegrityError."""
        steps = self._steps(run_ids)
        references = [reference for step in steps for reference in step.references.values()]
        return {(step.component, step.fingerprint) for step in steps} | {
            (reference.component, reference.fingerprint) for reference in references
        }

    def _steps(self, run_ids: set[str]) -> list[StepRecord]:
        return [step for run_id in run_ids if self.runs.has_record(run_id) for step in self.runs.read(run_id).steps]


def measure(kind: str, path: Path, entry: Entry | None = None) -> Collectable | None:
    """Return an item with its size and age, or None if it was deleted meanwhile."""
    # os.walk skips what disappears: a process at work deletes files that it no longer needs.
    files = [path, *(Path(folder, name) for folder, folders, names in os.walk(path) for name in (*folders, *names))]
    size, newest = 0, 0.0
    for file in files:
        with suppress(FileNotFoundError):
            status = file.lstat()
            size, newest = size + status.st_size, max(newest, status.st_mtime)
    return Collectable(kind, path, entry, size, max(0.0, time.time() - newest)) if newest else None
