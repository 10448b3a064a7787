"""A parallel-coordinates chart: one vertical axis for each quantity, and one line for each trial (Inselberg, 1985)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from markupsafe import Markup

from components.html.drawing import Scale, line, round_values, text
from components.html.format import truncate

AXIS_SPACING = 132
SIDE = 66
"""Pixels beside the first and the last axis: half the width of a name."""
TOP, BOTTOM, HEIGHT = 44, 262, 304
MISSING = 24
"""Pixels below an axis for the lines without a value there."""
MAX_SPACED_VALUES = 7
"""Numbers are drawn to scale if an axis has more distinct ones."""
MAX_NAME_LENGTH, MAX_LABEL_LENGTH = 20, 15
NO_VALUE = "no result"

Value = str | float | None


@dataclass(frozen=True)
class Axis:
    """One axis: its name, and each distinct value with its pixel and text, from the bottom."""

    name: str
    values: tuple[Value, ...]
    pixels: tuple[float, ...]
    texts: tuple[str, ...]
    labels: tuple[tuple[float, str], ...]

    @classmethod
    def of(cls, name: str, values: Sequence[Value], form: Callable[[Any], str], *, logarithmic: bool) -> "Axis":
        """Return the axis of a parameter: many numbers to scale, a few of them and everything else evenly spaced."""
        numbers = sorted({value for value in values if is_number(value)})
        if len(numbers) > MAX_SPACED_VALUES and all(map(is_number, values)):
            return cls.to_scale(name, values, form, logarithmic=logarithmic)
        distinct: list[Value] = [*numbers, *dict.fromkeys(value for value in values if not is_number(value))]
        pixels = [round(BOTTOM - (BOTTOM - TOP) * (n + 0.5) / len(distinct), 2) for n in range(len(distinct))]
        texts = [form(value) for value in distinct]
        return cls(name, tuple(distinct), tuple(pixels), tuple(texts), tuple(zip(pixels, texts, strict=True)))

    @classmethod
    def to_scale(
        cls, name: str, values: Sequence[Value], form: Callable[[Any], str], *, logarithmic: bool = False
    ) -> "Axis":
        """Return the axis of numbers; a line without one ends below it."""
        numbers = sorted({value for value in values if is_number(value)})
        scale = Scale(min(numbers, default=0), max(numbers, default=0), BOTTOM, TOP, logarithmic)
        labels = tuple((scale(number), form(number)) for number in _round_labels(scale)) if numbers else ()
        pixels, texts = tuple(map(scale, numbers)), tuple(map(form, numbers))
        if None not in values:
            return cls(name, tuple(numbers), pixels, texts, labels)
        below = BOTTOM + MISSING
        return cls(name, (None, *numbers), (below, *pixels), (NO_VALUE, *texts), (*labels, (below, NO_VALUE)))


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class Line:
    """The line of a trial."""

    key: str
    """Also the key of its row in a table."""
    values: tuple[Value, ...]
    readout: str
    share: float | None
    """0 for the worst trial and 1 for the best, which is drawn strongest; None without a result."""


def parallel_coordinates(axes: Sequence[Axis], lines: Sequence[Line], *, alt: str) -> Markup:
    """Return the drawing; the script of the page adds filters on the axes, and highlights lines.

    Args:
        axes: at least one.
        lines: the best first; they are drawn in reverse, so that the best is on top.
        alt: describes the drawing to screen readers.
    """
    width = 2 * SIDE + AXIS_SPACING * (len(axes) - 1)
    places = [SIDE + AXIS_SPACING * number for number in range(len(axes))]
    indices = [{value: index for index, value in enumerate(axis.values)} for axis in axes]
    drawn = []
    for each in reversed(lines):
        at = [index[value] for index, value in zip(indices, each.values, strict=True)]
        points = " ".join(f"{x:g},{axis.pixels[n]:g}" for x, axis, n in zip(places, axes, at, strict=True))
        css = "trial none" if each.share is None else "trial best" if each is lines[0] else "trial"
        drawn.append(
            Markup(
                '<polyline points="{}" class="{}" style="--w:{:.3g}" data-key="{}" data-at="{}">'
                "<title>{}</title></polyline>"
            ).format(points, css, each.share or 0, each.key, " ".join(map(str, at)), each.readout)
        )
    return Markup(
        '<svg viewBox="0 0 {} {}" style="min-width:{}px;max-width:{}px" role="group" aria-label="{}">'
        '<g class="trials" role="img" aria-label="{}">{}</g>{}</svg>'
    ).format(
        width, HEIGHT, width, width * 1.6, alt, alt, Markup("").join(drawn), Markup("").join(map(_axis, places, axes))
    )


def _axis(x: float, axis: Axis) -> Markup:
    """Return an axis with its labels; the name has two lines if it has a dot."""
    section, _, name = axis.name.rpartition(".")
    parts = [text(x, TOP - 32, truncate(section.rpartition(".")[2], MAX_NAME_LENGTH))]
    parts.append(text(x, TOP - 18, truncate(name, MAX_NAME_LENGTH), "row"))
    parts.append(line(x, TOP, x, BOTTOM, "axis"))
    for y, label in axis.labels:
        parts.append(line(x - 4, y, x, y, "axis"))
        parts.append(text(x - 7, y + 4, truncate(label, MAX_LABEL_LENGTH), "tick value", "end"))
    return Markup('<g class="dimension" data-name="{}" data-x="{}" data-pixels="{}" data-texts="{}">{}</g>').format(
        axis.name, x, " ".join(f"{pixel:g}" for pixel in axis.pixels), "\n".join(axis.texts), Markup("").join(parts)
    )


def _round_labels(scale: Scale) -> list[float]:
    """Return the numbers that label an axis with many values: round ones, or its ends."""
    if not scale.logarithmic:
        return round_values(scale.low, scale.high, 6)
    powers = [digit * 10.0**power for power in range(-12, 13) for digit in (1, 3)]
    return [number for number in powers if scale.low <= number <= scale.high] or [scale.low, scale.high]
