"""Printing on a terminal: lines wrap between words, so that no number or path is broken. Elsewhere nothing wraps."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from components.base.errors import JobError
from components.base.text import escape_unprintable

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

UNLIMITED_WIDTH = 1000
LABEL_WIDTH = 13
BELOW_INDENT = 2
BAR_WIDTH = 24


def make_console(*, stderr: bool = False) -> Console:
    """Return a console on standard output or error; if that is not a terminal, lines have any length."""
    # A notebook sets FORCE_COLOR, from which rich would conclude that it is a terminal.
    is_terminal = False if "ipykernel" in sys.modules else None
    # A folder may be named `:cat:`.
    console = Console(stderr=stderr, emoji=False, force_jupyter=False, force_terminal=is_terminal)
    if not console.is_terminal:
        console.width = UNLIMITED_WIDTH
    return console


def print_json(value: object, stream: TextIO | None = None) -> None:
    """Print a value as JSON, in ASCII, on standard output or a stream."""
    (stream or sys.stdout).write(json.dumps(value, indent=2) + "\n")


def print_line(console: Console, text: str | Text, *, style: str = "") -> None:
    """Print a line of markup, or a Text, as it is."""
    line = _parse(text) if isinstance(text, str) else text
    console.print(line, style=style, highlight=False, soft_wrap=True)


def print_text(console: Console, head: str, text: str) -> None:
    """Print text in markup after a head; on a terminal it wraps between words, indented below the first word."""
    _print_pieces(console, _parse(head), _parse(text).split(" "), separator=" ")


def print_parts(console: Console, head: str, parts: Iterable[str]) -> None:
    """Print parts in markup after a head; on a terminal, a part that does not fit starts a new line as a whole."""
    _print_pieces(console, _parse(head), map(_parse, parts), separator="  ")


def _parse(markup: str) -> Text:
    # The escapes have no bracket, so that they neither begin nor end markup.
    return Text.from_markup(escape_unprintable(markup), emoji=False)


def _print_pieces(console: Console, head: Text, pieces: Iterable[Text], separator: str) -> None:
    line, indent, is_empty = head.copy(), head.cell_len, True
    for piece in pieces:
        gap = "" if is_empty else separator
        fits = not console.is_terminal or line.cell_len + len(gap) + piece.cell_len <= console.width
        if is_empty and not fits and BELOW_INDENT + piece.cell_len <= console.width:
            indent = BELOW_INDENT  # such as a path that fits into a line without its label
        if fits or (is_empty and indent != BELOW_INDENT):
            line.append(gap).append_text(piece)
        else:
            line.rstrip()
            print_line(console, line)
            line = Text(" " * indent).append_text(piece)
        is_empty = False
    line.rstrip()
    print_line(console, line)


def print_field(console: Console, label: str, text: str) -> None:
    """Print a label and words in markup."""
    print_text(console, f"{label:<{LABEL_WIDTH}} ", text)


def print_path(console: Console, label: str, path: object) -> None:
    """Print a label and a path, or a command, that stays in one line."""
    print_parts(console, f"{label:<{LABEL_WIDTH}} ", [escape(str(path))])


def make_progress(
    console: Console, head: str, *texts: str, count: ProgressColumn | None = None, redirect_stdout: bool = True
) -> Progress:
    """Return a progress bar between texts in markup, which are never narrowed.

    `count` is the column with the amount; by default it has the completed and the total number.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    # rich narrows the columns that may wrap before it cuts the others.
    return Progress(
        TextColumn(head),
        BarColumn(None, table_column=Column(max_width=BAR_WIDTH)),
        count or MofNCompleteColumn(table_column=Column(no_wrap=True)),
        *map(TextColumn, texts),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        console=console,
        transient=True,
        redirect_stdout=redirect_stdout,
    )


def print_error(console: Console, error: JobError, resume: str = "") -> None:
    """Print an error: its headline, what was expected, the remedy, and the command that resumes the run."""
    print_text(console, "[bold red]error:[/] ", escape(error.headline))
    for label, text in (("expected", error.expected), ("remedy", error.remedy)):
        if text:
            print_text(console, f"  {label + ':':<10}", escape(text))
    if resume:
        print_line(console, f"  {'resume:':<10}{escape(resume)}")
