"""Prints the table of runs."""

import sys
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape

from components.base.formatting import counted, format_age
from components.base.text import escape_unprintable, printable
from job.reporters.terminal import print_line, print_parts
from job.store.run_rows import RunRow
from job.store.summary import RunSummary

HEADER = ("run", "age", "val", "test", "params", "cpu s", "verdict")
LEFT = {0, 6}
STYLES = {"BLESSED": "green", "NOT BLESSED": "yellow", "interrupted": "yellow", "failed": "red", "killed": "red"}
INDENT = "  "
MAX_DIFFERENCES = 6
MILLION = 1_000_000


def print_runs(console: Console, rows: Sequence[RunRow], *, matching: int, total: int) -> None:
    """Print one row per run, the newest last, each followed by what differs from the run in the row above."""
    cells = [HEADER, *(_cells(row.summary) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    header, *lines = ("  ".join(_padded(row, widths)) for row in cells)
    print_line(console, f"[dim]{header.rstrip()}[/]")
    if console.is_terminal:
        for line, row in zip(lines, rows, strict=True):
            name = row.summary.verdict
            print_line(console, line.rstrip().replace(name, _styled(STYLES.get(name, ""), name)))
            if notes := [_styled(*note) for note in _notes(row)]:
                print_parts(console, INDENT, notes)
    else:  # in one write: rich takes seconds for thousands of lines
        texts = ("  ".join(text for _, text in _notes(row)) for row in rows)
        pairs = zip(lines, texts, strict=True)
        sys.stdout.writelines(f"{escape_unprintable(f'{line}  {note}'.rstrip())}\n" for line, note in pairs)
    fewer = len(rows) < matching
    shown = f"{len(rows):,} of {counted(matching, 'matching run')}" if fewer else counted(matching, "run")
    print_line(console, f"[dim]{shown}{f' of {total:,}' if matching < total else ''}[/]")


def _padded(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        yield cell.ljust(width) if place in LEFT else cell.rjust(width)


def _cells(summary: RunSummary) -> tuple[str, ...]:
    return (
        summary.run_id,
        format_age(max(0.0, time.time() - summary.started.timestamp())),
        _accuracy(summary.validation_accuracy),
        _accuracy(summary.test_accuracy),
        _count(summary.parameters),
        "" if summary.cpu_seconds is None else f"{summary.cpu_seconds:,.{0 if summary.cpu_seconds >= 1000 else 1}f}",
        summary.verdict,
    )


def _accuracy(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _count(value: int | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if value < MILLION else f"{value / MILLION:.2f} M"


def _notes(row: RunRow) -> Iterator[tuple[str, str]]:
    """Yield the style and the text of each note after the columns."""
    summary = row.summary
    if summary.name is not None:
        yield "bold", summary.name
    yield from (("bold", f"#{tag}") for tag in row.tags)
    if summary.data_set is not None:
        yield "", printable(summary.data_set)
    if summary.failure is not None:
        yield "red", printable(summary.failure)
    changes = [*row.changes()]
    yield from (("", printable(change)) for change in changes[:MAX_DIFFERENCES])
    if (more := len(changes) - MAX_DIFFERENCES) > 0:
        yield "", f"{more} more"


def _styled(style: str, text: str) -> str:
    return f"[{style}]{escape(text)}[/]" if style else escape(text)
