"""GitHub-flavoured Markdown: escaped text, code and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MARKUP = re.compile(r"[\\`*\[\]<>|~&$#@]|(?<![^\W_])_+|_+(?![^\W_])|:(?=//)|(?<=www)\.")
"""Characters that start or end markup within a line, or from which GitHub makes a link. `_` does so only at the edge
of a word. Markup at the start of a line is not covered: callers put a word there."""
SPACES = re.compile(r"\s+")
WORD_JOINER = "\N{WORD JOINER}"
NUMBER = re.compile(r"[-+\N{MINUS SIGN}]?\d")


class Markdown(str):
    """A string that is Markdown already, so that `text` and `table` do not escape it."""

    __slots__ = ()


def text(value: object) -> Markdown:
    """Escape a value, so that it is shown as it is, on one line.

    >>> text("a | <b>bold</b>")
    'a \\\\| \\\\<b\\\\>bold\\\\</b\\\\>'
    """
    if isinstance(value, Markdown):
        return value
    # A word joiner would prevent a match when someone searches the file.
    line = SPACES.sub(" ", str(value).replace(WORD_JOINER, ""))
    return Markdown(MARKUP.sub(lambda match: "".join(f"\\{letter}" for letter in match[0]), line))


def code(value: str) -> Markdown:
    """Return a value as inline code.

    >>> code("a`b")
    '`` a`b ``'
    """
    line = SPACES.sub(" ", value)
    ticks = "`" * (_longest_backtick_run(line) + 1)
    padding = " " if len(ticks) > 1 else ""
    return Markdown(f"{ticks}{padding}{line}{padding}{ticks}")


def fenced(value: str, language: str) -> Markdown:
    """Return lines as a code block."""
    ticks = "`" * max(3, _longest_backtick_run(value) + 1)
    return Markdown(f"{ticks}{language}\n{value.rstrip()}\n{ticks}")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Markdown:
    """Return a table. Columns of numbers are right-aligned, except the first column.

    Args:
        columns: the header.
        rows: one cell per column; a cell that is not `Markdown` is escaped. A pipe in a `Markdown` cell ends the cell.
    """
    cells = [[text(cell) for cell in row] for row in rows]
    rule = [
        "---:" if number and cells and all(NUMBER.match(row[number]) for row in cells if row[number]) else ":---"
        for number in range(len(columns))
    ]
    lines: list[Sequence[str]] = [[text(name) for name in columns], rule, *cells]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _longest_backtick_run(value: str) -> int:
    return max(map(len, re.findall("`+", value)), default=0)
