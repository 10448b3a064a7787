"""GitHub-flavoured Markdown: escaped text, code and tables."""

import re
from collections.abc import Iterable, Sequence

MARKUP = re.compile(r"[\\`*\[\]<>|~&$#@]|(?<![^\W_])_+|_+(?![^\W_])|:(?=//)|(?<=www)\.")
"""Characters that begin or end markup within a line (`_` only outside of words), or that make GitHub link an address.
Markup at the start of a line is not covered: escaped text must follow other words on its line."""
SPACES = re.compile(r"\s+")
"""Includes no-break spaces and line ends."""
NUMBER = re.compile(r"[-+\N{MINUS SIGN}]?\d")


class Markdown(str):
    """Text that is already Markdown and is not escaped again."""

    __slots__ = ()


def escape(value: object) -> Markdown:
    """Return a value as one line of plain text, without any markup.

    >>> escape("a | <b>bold</b>")
    'a \\\\| \\\\<b\\\\>bold\\\\</b\\\\>'
    """
    if isinstance(value, Markdown):
        return value
    # Word joiners keep numbers together on a page, but get in the way of a search in a text file.
    line = SPACES.sub(" ", str(value).replace("\N{WORD JOINER}", ""))
    return Markdown(MARKUP.sub(lambda match: "".join(f"\\{letter}" for letter in match[0]), line))


def code(value: str) -> Markdown:
    """Return a value as code within a line.

    >>> code("a`b")
    '`` a`b ``'
    """
    line = SPACES.sub(" ", value)
    ticks = "`" * (_longest_run_of_backticks(line) + 1)
    padding = " " if len(ticks) > 1 else ""
    return Markdown(f"{ticks}{padding}{line}{padding}{ticks}")


def fenced(value: str, language: str) -> Markdown:
    """Return lines as a fenced code block."""
    ticks = "`" * max(3, _longest_run_of_backticks(value) + 1)
    return Markdown(f"{ticks}{language}\n{value.rstrip()}\n{ticks}")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Markdown:
    """Return a table. Columns of numbers are aligned right, all others left.

    A cell that is not `Markdown` is escaped; a `Markdown` cell must not contain a pipe.
    """
    cells = [[escape(cell) for cell in row] for row in rows]
    alignment = [
        "---:" if column and cells and all(NUMBER.match(row[column]) for row in cells if row[column]) else ":---"
        for column in range(len(columns))
    ]
    lines: list[Sequence[str]] = [[escape(name) for name in columns], alignment, *cells]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _longest_run_of_backticks(value: str) -> int:
    return max(map(len, re.findall("`+", value)), default=0)
