"""Numbers, lists and tables as text, formatted the same way in every section of the report and the model card."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.artifacts import ImageShape, Interval
from components.base.formatting import counted, format_distinct

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}\N{WORD JOINER}"
"""The word joiner keeps both limits of an interval on one line."""
TIMES = "\N{MULTIPLICATION SIGN}"
SPACE = "\N{NO-BREAK SPACE}"
SUPERSCRIPTS = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
SMALLEST_PLAIN_NUMBER = 1e-3
"""Smaller numbers are written with a power of ten."""
METRIC_FORMATS = {
    "accuracy": ("accuracy", "%"),
    "macro_precision": ("macro precision", "%"),
    "macro_recall": ("macro recall", "%"),
    "macro_f1": ("macro F1", "%"),
    "calibration_error": ("calibration error", "%"),
    "loss": ("loss", "nats"),
    "brier_score": ("Brier score", ""),
    "precision": ("precision", "%"),
    "recall": ("recall", "%"),
    "f1": ("F1", "%"),
}
"""Title and unit of each metric, in the order of the tables; `%` for a share from 0 to 1."""


@dataclass(frozen=True)
class TextTable:
    """A table of formatted values; the first cell of a row is its name."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def readout(self, row: int) -> str:
        """Return a row as one line, such as `epoch 2: training 1.0000, validation 0.9000`."""
        name, *cells = self.rows[row]
        header, *columns = self.columns
        values = ", ".join(f"{column} {cell}" for column, cell in zip(columns, cells, strict=True) if cell)
        return f"{header} {name}: {values}" if header else f"{name}: {values}"


def percent(share: float, decimals: int = 2) -> str:
    """Return a share in per cent; 0 and 1 have no decimals.

    >>> percent(0.99123), percent(1.0), percent(0.5, 0)
    ('99.12\\xa0%', '100\\xa0%', '50\\xa0%')
    """
    return f"{share * 100:.{0 if share in (0, 1) else decimals}f}{SPACE}%"


def short_percent(share: float) -> str:
    """Return a share in per cent without trailing zeros.

    >>> short_percent(0.985), short_percent(0.07)
    ('98.5\\xa0%', '7\\xa0%')
    """
    return f"{share * 100:g}{SPACE}%"


def interval_limits(interval: Interval) -> str:
    """Return the limits of an interval of shares, for a table."""
    return f"{interval.low * 100:.2f}{DASH}{interval.high * 100:.2f}{SPACE}%"


def interval_text(interval: Interval, metric: str = "accuracy") -> str:
    """Return the limits of the interval of a metric, and its method."""
    limits = f"{metric_value(metric, interval.low)} to {metric_value(metric, interval.high)}"
    if is_percentage(metric):
        limits = interval_limits(interval)
    method = "Wilson" if interval.method == "wilson" else f"bootstrap, {counted(interval.resamples, 'resample')}"
    return f"{limits} ({method})"


def points(difference: float) -> str:
    """Return a signed difference of two shares in percentage points.

    >>> ascii(points(-0.0012))
    "'\\\\u22120.12\\\\xa0points'"
    """
    return f"{signed(difference * 100, '.2f') if difference else 0}{SPACE}points"


def signed(number: float, spec: str) -> str:
    """Return a number with its sign, using a typographic minus."""
    return f"{number:+{spec}}".replace("-", MINUS)


def truncate(name: str, length: int) -> str:
    """Return a name cut to at most `length` characters.

    >>> truncate("seven", 5), ascii(truncate("seventeen", 5))
    ('seven', "'seve\\\\u2026'")
    """
    return name if len(name) <= length else f"{name[: length - 1]}\N{HORIZONTAL ELLIPSIS}"


def listed(items: Sequence[str]) -> str:
    """Return items as an enumeration in a sentence.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join([part for part in (", ".join(items[:-1]), *items[-1:]) if part])


def image_size(shape: ImageShape) -> str:
    """Return the size of an image.

    >>> ascii(image_size((28, 28, 1))), ascii(image_size((8, 16, 3)))
    ("'28\\\\xd728 pixels'", "'8\\\\xd716 pixels in 3 channels'")
    """
    height, width, channels = shape
    return f"{height}{TIMES}{width} pixels" + (f" in {channels} channels" if channels > 1 else "")


def is_percentage(metric: str) -> bool:
    """Return whether a metric is shown in per cent."""
    return METRIC_FORMATS.get(metric, ("", ""))[1] == "%"


def metric_title(metric: str) -> str:
    """Return the name of a metric for a table.

    >>> metric_title("macro_f1"), metric_title("confusion_cost")
    ('macro F1', 'confusion cost')
    """
    return METRIC_FORMATS.get(metric, (metric.replace("_", " "), ""))[0]


def metric_value(metric: str, value: float, bounds: Sequence[float] = ()) -> str:
    """Return the value of a metric, in per cent or with four significant digits.

    The value gets more digits where it would otherwise look equal to one of its bounds.

    >>> metric_value("macro_f1", 0.98765), metric_value("loss", 0.0754321), metric_value("accuracy", 0.98996, [0.99])
    ('98.77\\xa0%', '0.07543', '98.996\\xa0%')
    """
    if is_percentage(metric):
        if value in (0, 1):
            return percent(value)
        return f"{format_distinct(value * 100, [bound * 100 for bound in bounds], '.{}f', 2)}{SPACE}%"
    if 0 < abs(value) < SMALLEST_PLAIN_NUMBER:
        return plain_number(value, ",.4g")
    return format_distinct(value, bounds, ",.{}g").replace("-", MINUS)


def metric_bound(metric: str, value: float) -> str:
    """Return a bound of a metric, without trailing zeros.

    >>> metric_bound("accuracy", 0.985), metric_bound("loss", 0.1)
    ('98.5\\xa0%', '0.1')
    """
    return short_percent(value) if is_percentage(metric) else plain_number(value, "g")


def plain_number(value: float, spec: str) -> str:
    """Return a number; a very small one is written with a power of ten.

    >>> plain_number(0.25, "g"), ascii(plain_number(2.4e-7, ".2g"))
    ('0.25', "'2.4\\\\xa0\\\\xd7\\\\xa010\\\\u207b\\\\u2077'")
    """
    if not 0 < abs(value) < SMALLEST_PLAIN_NUMBER:
        return f"{value:{spec}}".replace("-", MINUS)
    digits, _, power = f"{value:.1e}".partition("e")
    digits = digits.removesuffix(".0").replace("-", MINUS)
    return f"{digits}{SPACE}{TIMES}{SPACE}10{str(int(power)).translate(SUPERSCRIPTS)}"
