"""Numbers as text."""

from collections.abc import Iterable

SIZE_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def format_distinct(value: float, others: Iterable[float], form: str, digits: int = 4) -> str:
    """Format a number with enough digits to distinguish it from others that it does not equal.

    `form` is a format specification with a placeholder for the number of digits, which is at least `digits`.

    >>> format_distinct(0.98996, [0.99], ".{}g"), format_distinct(0.98765, [0.99], ".{}g")
    ('0.98996', '0.9877')
    """
    for count in range(digits, 17):  # 17 digits distinguish every float64 from all others
        text = format(value, form.format(count))
        if all(text != format(other, form.format(count)) for other in others if other != value):
            return text
    return repr(value)


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun.

    >>> counted(1, "image"), counted(12000, "image"), counted(2, "class", "classes")
    ('1 image', '12,000 images', '2 classes')
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def format_size(size: int) -> str:
    """Format a number of bytes with its unit, in powers of 1000.

    >>> format_size(999), format_size(2_212_343), format_size(3_000_000_000_000_000)
    ('999 bytes', '2.2 MB', '3000.0 TB')
    """
    if size < 1000:
        return f"{size} bytes"
    power = min((len(str(size)) - 1) // 3, len(SIZE_UNITS) - 1)
    return f"{size / 1000**power:.1f} {SIZE_UNITS[power]}"


def format_age(seconds: float) -> str:
    """Return an age with the largest unit in which it is at least 2.

    >>> format_age(90), format_age(5400), format_age(700_000)
    ('90 s', '90 min', '8.1 d')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86400:.1f} d"
