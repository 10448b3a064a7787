"""The table of a run's steps: what became of each, how long it took and for what, and where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from components.base.timing import Elapsed
from job.store.records import remaining_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from job.store.records import Duration, RunRecord, TimedRecord

STATUS_STYLE = {"ran": "green", "reused": "cyan", "failed": "red", "ended": "yellow"}
WORTH_TELLING = 0.1
"""Seconds, on either clock, from which a part has a row of its own."""
OTHER = "other"
REST = "the rest"


def print_steps(console: Console, record: RunRecord) -> None:
    """Print a row a step, below it one for each part that took long, and last what no step took.

    A path that is too long goes on in the next line, where it can still be copied.
    """
    for line in _lines(record):
        console.print(line, highlight=False, soft_wrap=True)


def _lines(record: RunRecord) -> Iterator[str]:
    broken = record.unfinished_step()
    slots = max(len(slot) for slot in (*(step.component for step in record.steps), broken or "", REST))
    yield f"[dim]{'step':<{slots}}  status  seconds    cpu s  where[/]"
    for step in record.steps:
        where = escape(shorten(step.path, step.fingerprint))
        yield f"{step.component:<{slots}}  {_status(step.status)}  {_clocks(step)}  {where}"
        yield from _parts(step, slots)
    if broken is not None and record.failure is not None:
        status = "ended" if record.outcome == "terminated" else "failed"
        yield f"{broken:<{slots}}  {_status(status)}  {_clocks(record.failure)}"
        yield from _parts(record.failure, slots)
    if record.cpu_seconds is not None:
        rest = remaining_time(Elapsed(record.seconds, record.cpu_seconds), record.timed_records())
        yield f"{REST:<{slots}}          {_clocks(rest)}"


def _parts(timed: TimedRecord, slots: int) -> Iterator[str]:
    """Yield a line for each part that is worth telling, and where there is one, for what is in none."""
    told: list[tuple[str, Duration]] = [(part.name, part) for part in timed.parts if is_long(part)]
    other = remaining_time(timed, timed.parts)
    if told and is_long(other):
        told.append((OTHER, other))
    for name, took in told:
        yield f"[dim]  {escape(f'{name:<{slots + 6}}')}  {_clocks(took)}[/]"


def is_long(took: Duration) -> bool:
    """Return whether something took so long that it is worth a row."""
    return max(took.seconds, took.cpu_seconds) >= WORTH_TELLING


def _status(status: str) -> str:
    return f"[{STATUS_STYLE[status]}]{status:<6}[/]"


def _clocks(took: Duration) -> str:
    return f"{took.seconds:>7.2f}  {took.cpu_seconds:>7.2f}"


def shorten(path: str, fingerprint: str) -> str:
    """Return an artifact's path with its fingerprint cut to what a shell needs to complete it."""
    return path.replace(fingerprint, fingerprint[:12] + "…")
