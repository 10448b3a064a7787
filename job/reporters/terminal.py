"""Printing on a terminal: lines wrap between words, so that no number or path is broken. Elsewhere nothing wraps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.text import Text

if TYPE_CHECKING:
    from components.base.errors import JobError

UNLIMITED_WIDTH = 1000
LABEL_WIDTH = 13


def make_console(*, stderr: bool = False) -> Console:
    """Return a console on standard output or error; if that is not a terminal, lines have any length."""
    console = Console(stderr=stderr, emoji=False)  # a folder may be named `:cat:`
    if not console.is_terminal:
        console.width = UNLIMITED_WIDTH
    return console


def print_line(console: Console, text: str | Text, *, style: str = "") -> None:
    """Print a line of markup, or a Text, as it is."""
    console.print(text, style=style, highlight=False, soft_wrap=True)


def print_text(console: Console, head: str, text: str) -> None:
    """Print words in markup after a head, wrapped on a terminal and indented below the first word."""
    body, indent = Text.from_markup(text), Text.from_markup(head).cell_len
    width = max(console.width - indent, LABEL_WIDTH)
    lines = list(body.wrap(console, width, overflow="ignore")) if console.is_terminal else [body]
    for number, line in enumerate(lines or [Text()]):
        line.rstrip()
        print_line(console, Text.from_markup(head if number == 0 else " " * indent).append_text(line))


def print_parts(console: Console, head: str, parts: Sequence[str]) -> None:
    """Print parts in markup after a head; on a terminal, a part that does not fit starts a new line as a whole."""

    def width(markup: str) -> int:
        return Text.from_markup(markup).cell_len

    line, separator, indent = head, "", "  "
    for part in parts:
        longer = f"{line}{separator}{part}"
        fits_below = width(indent + part) <= console.width or separator
        if console.is_terminal and width(longer) > console.width and fits_below:
            print_line(console, line.rstrip())
            line = indent + part
        else:
            line = longer
        separator, indent = "  ", " " * width(head)
    print_line(console, line)


def print_field(console: Console, label: str, text: str) -> None:
    """Print a label and words in markup."""
    print_text(console, f"{label:<{LABEL_WIDTH}} ", text)


def print_path(console: Console, label: str, path: object) -> None:
    """Print a label and a path, or a command, that stays in one line."""
    print_parts(console, f"{label:<{LABEL_WIDTH}} ", [escape(str(path))])


def print_error(console: Console, error: JobError, resume: str = "") -> None:
    """Print an error: its headline, what was expected, the remedy, and the command that resumes the run."""
    print_text(console, "[bold red]error:[/] ", escape(error.headline))
    for label, text in (("expected", error.expected), ("remedy", error.remedy)):
        if text:
            print_text(console, f"  {label + ':':<10}", escape(text))
    if resume:
        print_line(console, f"  {'resume:':<10}{escape(resume)}")
