"""GitHub-flavoured Markdown in pieces: text that is text and nothing else, code, and tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MARKUP = re.compile(r"[\\`*\[\]<>|~&$#@]|(?<![^\W_])_+|_+(?![^\W_])|:(?=//)|(?<=www)\.")
"""What begins or ends markup within a line, as `_` does but within a word, or lets GitHub make a link of an address.
What does so at the start of a line is text here only where words go before it."""
SPACES = re.compile(r"\s+")
"""Also those that do not break, and the ends of lines."""
WORD_JOINER = "\N{WORD JOINER}"
NUMBER = re.compile(r"[-+\N{MINUS SIGN}]?\d")


class Markdown(str):
    """Text that is Markdown, and is taken as it is."""

    __slots__ = ()


def text(value: object) -> Markdown:
    """Return a value as text: whatever is in it, it is no markup. It stays in its line.

    >>> text("a | <b>bold</b>")
    'a \\\\| \\\\<b\\\\>bold\\\\</b\\\\>'
    """
    if isinstance(value, Markdown):
        return value
    # What keeps words together on a page would only be in the way of who searches a file.
    told = SPACES.sub(" ", str(value).replace(WORD_JOINER, ""))
    return Markdown(MARKUP.sub(lambda found: "".join(f"\\{letter}" for letter in found[0]), told))


def code(value: str) -> Markdown:
    """Return a value as code within a line.

    >>> code("a`b")
    '`` a`b ``'
    """
    told = SPACES.sub(" ", value)
    ticks = "`" * (longest_run(told) + 1)
    room = " " if len(ticks) > 1 else ""
    return Markdown(f"{ticks}{room}{told}{room}{ticks}")


def fenced(value: str, language: str) -> Markdown:
    """Return lines as a block of code."""
    ticks = "`" * max(3, longest_run(value) + 1)
    return Markdown(f"{ticks}{language}\n{value.rstrip()}\n{ticks}")


def longest_run(value: str) -> int:
    """Return how many backticks follow each other in it, at most."""
    return max(map(len, re.findall("`+", value)), default=0)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Markdown:
    """Return a table; columns of numbers are aligned to the right, the first and all others to the left.

    Args:
        columns: the head.
        rows: as many cells each; a cell that is no `Markdown` is text. In one that is, a pipe ends the cell.
    """
    cells = [[text(cell) for cell in row] for row in rows]
    rule = [
        "---:" if number and cells and all(NUMBER.match(row[number]) for row in cells if row[number]) else ":---"
        for number in range(len(columns))
    ]
    lines: list[Sequence[str]] = [[text(name) for name in columns], rule, *cells]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))
