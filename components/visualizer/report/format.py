"""Numbers and lists as a reader wants them, the same in every section."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.base.formatting import format_distinct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.artifacts import Interval

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}\N{WORD JOINER}"
"""Between limits, which stay in one line."""
TIMES = "\N{MULTIPLICATION SIGN}"
APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
SPACE = "\N{NO-BREAK SPACE}"
"""Between what belongs together."""
RAISED = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
LEAST = 1e-3
"""Numbers below it are written with a power of ten."""
SHARES = ("accuracy", "precision", "recall", "f1", "calibration_error", "error")
"""Metrics of which some word says that they are shares, to be read in per cent."""


def percent(share: float, decimals: int = 2) -> str:
    """Return a share in per cent; nothing and all without decimals.

    >>> percent(0.99123), percent(1.0), percent(0.5, 0)
    ('99.12\\xa0%', '100\\xa0%', '50\\xa0%')
    """
    return f"{share * 100:.{0 if share in (0, 1) else decimals}f}{SPACE}%"


def short_percent(share: float) -> str:
    """Return a share in per cent with as few decimals as it has.

    >>> short_percent(0.985), short_percent(0.07)
    ('98.5\\xa0%', '7\\xa0%')
    """
    return f"{share * 100:g}{SPACE}%"


def between(low: float, high: float) -> str:
    """Return the limits of an interval of shares, short enough for a table.

    >>> ascii(between(0.9732, 0.9895))
    "'97.32\\\\u2013\\\\u206098.95\\\\xa0%'"
    """
    return f"{low * 100:.2f}{DASH}{high * 100:.2f}{SPACE}%"


def interval_words(interval: Interval) -> str:
    """Return an interval with the method that gave it."""
    method = "Wilson" if interval.method == "wilson" else f"bootstrap, {counted(interval.resamples, 'resample')}"
    return f"{between(interval.low, interval.high)} ({method})"


def points(difference: float) -> str:
    """Return a difference of two shares, with its sign.

    >>> ascii(points(-0.0012))
    "'\\\\u22120.12\\\\xa0points'"
    """
    return f"{signed(difference * 100, '.2f') if difference else 0}{SPACE}points"


def signed(number: float, form: str) -> str:
    """Return a number with its sign, a real minus."""
    return f"{number:+{form}}".replace("-", MINUS)


def short(name: str, most: int) -> str:
    """Return a name cut to so many letters, for where there is no room for more.

    >>> short("seven", 5), ascii(short("seventeen", 5))
    ('seven', "'seve\\\\u2026'")
    """
    return name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def counted(count: int, thing: str, things: str = "") -> str:
    """Return how many there are of something.

    >>> counted(1, "image"), counted(12000, "image"), counted(2, "class", "classes")
    ('1 image', '12,000 images', '2 classes')
    """
    return f"{count:,} {thing if count == 1 else things or f'{thing}s'}"


def measured(metric: str, value: float, bounds: Sequence[float] = ()) -> str:
    """Return the value of a metric: in per cent where it is a share, with four significant digits where it is not.

    More digits are told where it would look like one of its bounds otherwise.

    >>> measured("macro_f1", 0.98765), measured("loss", 0.0754321), measured("accuracy", 0.98996, [0.99])
    ('98.77\\xa0%', '0.07543', '98.996\\xa0%')
    """
    if not is_share(metric):
        return (
            number(value, ",.4g")
            if 0 < abs(value) < LEAST
            else format_distinct(value, bounds, ",.{}g").replace("-", MINUS)
        )
    if value in (0, 1):
        return percent(value)
    return f"{format_distinct(value * 100, [other * 100 for other in bounds], '.{}f', 2)}{SPACE}%"


def number(value: float, form: str) -> str:
    """Return a number, with a power of ten where it is very small.

    >>> number(0.25, "g"), ascii(number(2.4e-7, ".2g"))
    ('0.25', "'2.4\\\\xa0\\\\xd7\\\\xa010\\\\u207b\\\\u2077'")
    """
    if not 0 < abs(value) < LEAST:
        return f"{value:{form}}".replace("-", MINUS)
    digits, _, power = f"{value:.1e}".partition("e")
    digits = digits.removesuffix(".0").replace("-", MINUS)
    return f"{digits}{SPACE}{TIMES}{SPACE}10{str(int(power)).translate(RAISED)}"


def is_share(metric: str) -> bool:
    """Return whether a metric is a share, to be told in per cent."""
    return metric.endswith(SHARES)


def bound(metric: str, value: float) -> str:
    """Return a bound of a metric, as round as it was set.

    >>> bound("accuracy", 0.985), bound("loss", 0.1)
    ('98.5\\xa0%', '0.1')
    """
    return short_percent(value) if is_share(metric) else number(value, "g")


def title_of(metric: str) -> str:
    """Return a metric's name in words.

    >>> title_of("macro_f1"), title_of("brier_score")
    ('macro F1', 'Brier score')
    """
    return metric.replace("_", " ").replace("f1", "F1").replace("brier", "Brier")


def listed(things: Sequence[str]) -> str:
    """Return a list as a sentence has it.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join([part for part in (", ".join(things[:-1]), *things[-1:]) if part])
