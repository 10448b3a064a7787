"""Housekeeping: what lies in a root and is of no use to any run that is kept."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from components.errors import ConfigError
from job.locks import hold_if_free, is_held
from job.store import ASIDE, PARTIAL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from job.runs import Runs
    from job.store import Store

Kind = Literal["artifact", "partial", "aside", "run"]
DELETING = ".deleting"
"""Ends the name of what is being deleted: if that is cut short, nobody takes the rest for something sealed."""
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
            f"--older-than {text} is not an age",
            expected="a number with s, m, h or d behind it",
            remedy="such as 12h or 7d",
        )
    return float(match[1]) * UNITS[match[2]]


@dataclass(frozen=True)
class Garbage:
    """Something that may go."""

    kind: Kind
    slot: str
    """Empty for a run."""
    path: Path
    size: int
    """In bytes."""
    age: float
    """Seconds since it was last written to."""


def find_garbage(store: Store, runs: Runs, *, keep: int | None, older_than: float) -> Iterator[Garbage]:
    """Yield what may go: runs that are not kept, what only they refer to, and what was left half-made.

    A run that goes on is kept, whatever its age, and so is all that it refers to or is at work on.

    Args:
        store: the artifacts.
        runs: the runs of the same root.
        keep: how many of the newest runs are kept; None for all.
        older_than: in seconds; half-made artifacts, and damaged ones set aside, that are younger stay.
    """
    kept = kept_runs(runs, keep)
    for run_id in runs.ids():
        if run_id not in kept:
            yield _garbage("run", "", runs.path(run_id))
    referred = references(runs, kept)
    for slot, path in store.entries():
        fingerprint = path.name.partition(".")[0]
        if path.name == fingerprint:
            if (slot, fingerprint) not in referred:
                yield _garbage("artifact", slot, path)
        elif path.name.endswith(DELETING):
            yield _garbage("partial", slot, path)
        elif ASIDE in path.name:
            if (found := _garbage("aside", slot, path)).age >= older_than:
                yield found
        elif path.name.endswith(PARTIAL) or not store.partial(slot, fingerprint).exists():  # the lock of a partial one
            found = _garbage("partial", slot, path)  # goes with it
            if found.age >= older_than and not is_held(store.lock(slot, fingerprint)):
                yield found


def delete(garbage: Garbage, store: Store, runs: Runs, *, keep: int | None) -> bool:
    """Delete one thing, unless a run has come to need it since it was found; return whether it went."""
    if garbage.kind == "run":
        if runs.is_alive(garbage.path.name):
            return False
        _remove(garbage.path)
        return True
    fingerprint = garbage.path.name.partition(".")[0]
    # A run holds this lock until its record refers to the artifact: what is not held is in the records or of no use.
    with hold_if_free(store.lock(garbage.slot, fingerprint)) as free:
        needed = garbage.kind == "artifact" and (garbage.slot, fingerprint) in references(runs, kept_runs(runs, keep))
        if not free or needed:
            return False
        if garbage.path != store.lock(garbage.slot, fingerprint):  # that one goes when it is let go of
            _remove(garbage.path)
        return True


def kept_runs(runs: Runs, keep: int | None) -> set[str]:
    """Return the ids of the newest `keep` runs (at least 1, or None for all), and of all that go on."""
    ids = runs.ids()
    newest = ids if keep is None else ids[-keep:]
    return {run_id for run_id in ids if run_id in newest or run_id == runs.newest() or runs.is_alive(run_id)}


def references(runs: Runs, run_ids: set[str]) -> set[tuple[str, str]]:
    """Return slot and fingerprint of every artifact that some runs refer to.

    Raises:
        IntegrityError: if a run's record cannot be read: what it refers to must not be guessed.
    """
    return {
        (step.component, step.fingerprint)
        for run_id in run_ids
        if runs.has_record(run_id)
        for step in runs.read(run_id).steps
    }


def _garbage(kind: Kind, slot: str, path: Path) -> Garbage:
    files = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    states = [file.lstat() for file in files]
    newest = max(state.st_mtime for state in states)
    return Garbage(kind, slot, path, sum(state.st_size for state in states), max(0.0, time.time() - newest))


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    going = path if path.name.endswith(DELETING) else path.rename(path.with_name(f"{path.name}{DELETING}"))
    shutil.rmtree(going)
