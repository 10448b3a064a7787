"""With which power of the size something grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.growth import COMPONENTS, Grown
from tests.benchmarks.table import number, print_table


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """How one component grows.

    Attributes:
        seconds: exponent of its seconds over all sizes.
        seconds_at_last: the same between the two largest sizes, where what it takes anyhow weighs least.
        memory: exponent of its process's highest memory.
        memory_at_last: the same between the two largest sizes.
        peak: bytes at the largest size.
    """

    component: str
    seconds: float
    seconds_at_last: float
    memory: float
    memory_at_last: float
    peak: int


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of the line of least squares through the logarithms: 1 is linear, 0 constant.

    >>> exponent([1, 3, 10], [2, 18, 200])
    2.0
    """
    x, y = ([math.log(value) for value in some] for some in (sizes, values))
    middle_x, middle_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    return round(
        math.fsum((one - middle_x) * (other - middle_y) for one, other in zip(x, y, strict=True))
        / math.fsum((one - middle_x) ** 2 for one in x),
        12,
    )


def scale(measured: Sequence[Grown]) -> list[Scaling]:
    """Return how each component grows that was measured at two sizes or more."""
    scalings = []
    for component in COMPONENTS:
        own = sorted((grown for grown in measured if grown.component == component), key=lambda grown: grown.images)
        if len(own) < 2:
            continue
        images, seconds, peaks = zip(*((grown.images, grown.seconds, grown.peak) for grown in own), strict=True)
        scalings.append(
            Scaling(
                component=component,
                seconds=exponent(images, seconds),
                seconds_at_last=exponent(images[-2:], seconds[-2:]),
                memory=exponent(images, peaks),
                memory_at_last=exponent(images[-2:], peaks[-2:]),
                peak=peaks[-1],
            )
        )
    return scalings


def print_scaling(measured: Sequence[Grown], scalings: Sequence[Scaling]) -> None:
    """Print seconds and memory by size, and the exponents."""
    sizes = sorted({grown.images for grown in measured})
    at = {(grown.component, grown.images): grown for grown in measured}
    for what, attribute in (("seconds", "seconds"), ("peak memory, GB", "gigabytes")):
        rows = [
            (component, *(number(getattr(at.get((component, size)), attribute, None)) for size in sizes))
            for component in COMPONENTS
        ]
        print_table((f"{what}, by images", *(f"{size:,}" for size in sizes)), rows)
    print_table(
        ("growth exponent (1: linear)", "seconds", "last two sizes", "memory", "last two"),
        [
            (
                one.component,
                *(number(value) for value in (one.seconds, one.seconds_at_last, one.memory, one.memory_at_last)),
            )
            for one in scalings
        ],
    )
