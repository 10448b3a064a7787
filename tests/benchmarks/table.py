"""Tables of numbers on the console."""

from __future__ import annotations

from collections.abc import Sequence


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below a header. The first column and columns with spaces are left-aligned, others right-aligned.

    Prints nothing without rows.
    """
    if not rows:
        return
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    left = [number == 0 or any(" " in cell for cell in cells) for number, (_, *cells) in enumerate(columns)]
    for row in (header, *rows):
        aligned = zip(row, widths, left, strict=True)
        print("  ".join(cell.ljust(width) if words else cell.rjust(width) for cell, width, words in aligned).rstrip())
    print(flush=True)


def number(value: float | None, digits: int = 2) -> str:
    """Format a number with a fixed number of decimals; None is empty.

    >>> number(1234.567), number(None)
    ('1,234.57', '')
    """
    return "" if value is None else f"{value:,.{digits}f}"


def percent(fraction: float | None, digits: int = 2) -> str:
    """Format a fraction in percent, without the sign.

    >>> percent(0.9891)
    '98.91'
    """
    return number(None if fraction is None else 100 * fraction, digits)
