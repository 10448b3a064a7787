"""Housekeeping: what lies in a root and is of no use to any run that is kept."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from components.base.errors import ConfigError
from components.runtime.locks import is_held, try_acquire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from job.store.records import StepRecord
    from job.store.runs import Runs
    from job.store.store import Entry, Store

Kind = Literal["artifact", "partial", "quarantined", "run"]
KINDS: dict[str, Kind] = {
    "sealed": "artifact",
    "partial": "partial",
    "lock": "partial",
    "deleting": "partial",
    "quarantined": "quarantined",
}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_age(text: str) -> float:
    """Return the seconds of an age such as `90s`, `30m`, `12h` or `7d`.

    >>> parse_age("12h")
    43200.0

    Raises:
        ConfigError: if it is no such age.
    """
    if not (match := re.fullmatch(r"(\d{1,9})([smhd])", text, re.ASCII)):
        raise ConfigError(
            f"--older-than {text!r} is not an age",
            expected="a whole number of at most 9 digits with s, m, h or d behind it",
            remedy="such as 12h or 7d",
        )
    return float(match[1]) * UNITS[match[2]]


@dataclass(frozen=True)
class Collectable:
    """Something that may go."""

    kind: Kind
    path: Path
    entry: Entry | None
    """What it is to the store; None for a run."""
    size: int
    """In bytes."""
    age: float
    """Seconds since it was last written to."""


@dataclass(frozen=True)
class GarbageCollector:
    """What may go from a root, and its removal.

    A run that goes on is kept, whatever its age, and so is all that it refers to or is at work on.

    Attributes:
        store: the artifacts.
        runs: the runs of the same root.
        keep: how many of the newest runs are kept, at least 1, beside the newest that is blessed; None for all.
        older_than: in seconds; half-made artifacts, and those set aside, that are younger stay.
    """

    store: Store
    runs: Runs
    keep: int | None
    older_than: float

    def find(self) -> Iterator[Collectable]:
        """Yield runs that are not kept, what only they refer to, and what was left half-made."""
        kept = self._kept_runs()
        for run_id in self.runs.ids():
            if run_id not in kept and (garbage := measure("run", self.runs.path(run_id))):
                yield garbage
        referred = self._references(kept)
        for entry in self.store.entries():
            if not is_held(self.store.lock(entry.slot, entry.fingerprint)):
                garbage = measure(KINDS[entry.kind], entry.path, entry)
                if garbage is not None and self._may_go(garbage, entry, referred):
                    yield garbage

    def delete(self, garbage: Collectable) -> bool:
        """Delete one thing, unless a run has come to need it since it was found; return whether it went."""
        if garbage.entry is None:
            if self.runs.is_alive(garbage.path.name):
                return False
            shutil.rmtree(garbage.path)
            return True
        entry = garbage.entry
        # A run holds this lock until its record refers to the artifact: what is not held is in the records, or garbage.
        with try_acquire(self.store.lock(entry.slot, entry.fingerprint)) as free:
            fresh = measure(garbage.kind, garbage.path, entry)
            # Only what is sealed is referred to; its references are read again, now that they cannot change.
            referred = self._references(self._kept_runs()) if entry.kind == "sealed" else set()
            if not free or fresh is None or not self._may_go(fresh, entry, referred):
                return False
            if entry.kind != "lock":  # that one goes when it is let go of
                self.store.remove(entry)
            return True

    def _may_go(self, garbage: Collectable, entry: Entry, referred: set[tuple[str, str]]) -> bool:
        if entry.kind == "deleting":
            return True
        if entry.kind == "sealed":
            return (entry.slot, entry.fingerprint) not in referred
        if entry.kind == "lock" and self.store.partial(entry.slot, entry.fingerprint).exists():
            return False  # it goes with that
        return garbage.age >= self.older_than

    def _kept_runs(self) -> set[str]:
        ids = self.runs.ids()
        if self.keep is None:
            return set(ids)
        # The newest blessed one is what runs to come are compared with.
        blessed = next((record.run_id for record in self.runs.blessed()), None)
        asked = {*ids[-self.keep :], self.runs.newest(), blessed}
        kept = {run_id for run_id in ids if run_id in asked or self.runs.is_alive(run_id)}
        # And what they were compared with, or they would be rubber-stamped when they are asked for again.
        compared = {found.run_id for step in self._steps(kept) for found in step.references.values()}
        return kept | {run_id for run_id in ids if run_id in compared}

    def _references(self, run_ids: set[str]) -> set[tuple[str, str]]:
        """Return slot and fingerprint of every artifact that some runs refer to.

        Raises:
            IntegrityError: if a run's record cannot be read: what it refers to must not be guessed.
        """
        steps = self._steps(run_ids)
        referred = [reference for step in steps for reference in step.references.values()]
        return {(step.component, step.fingerprint) for step in steps} | {
            (found.component, found.fingerprint) for found in referred
        }

    def _steps(self, run_ids: set[str]) -> list[StepRecord]:
        return [step for run_id in run_ids if self.runs.has_record(run_id) for step in self.runs.read(run_id).steps]


def measure(kind: Kind, path: Path, entry: Entry | None = None) -> Collectable | None:
    """Return something with its size and age, or None if it has gone."""
    # os.walk passes over what vanishes: whoever is at work on it removes what it no longer needs.
    files = [path, *(Path(folder, name) for folder, folders, names in os.walk(path) for name in (*folders, *names))]
    size, newest = 0, 0.0
    for file in files:
        with suppress(FileNotFoundError):
            state = file.lstat()
            size, newest = size + state.st_size, max(newest, state.st_mtime)
    return Collectable(kind, path, entry, size, max(0.0, time.time() - newest)) if newest else None
