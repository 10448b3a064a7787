"""Numbers as they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

USUAL, MOST = 4, 17
"""Digits of a number; with the most, every float64 is told apart from all others."""


def format_distinct(value: float, others: Iterable[float], form: str, usual: int = USUAL) -> str:
    """Return a number with as many digits as tell it apart from others that it does not equal.

    Args:
        value: the number.
        others: what it is held against.
        form: a format with a place for the number of digits, such as `.{}g`.
        usual: digits, if so many are enough.

    >>> format_distinct(0.98996, [0.99], ".{}g"), format_distinct(0.98765, [0.99], ".{}g")
    ('0.98996', '0.9877')
    """
    for digits in range(usual, MOST):
        told = format(value, form.format(digits))
        if all(told != format(other, form.format(digits)) for other in others if other != value):
            return told
    return repr(value)
